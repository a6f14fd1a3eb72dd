#include "auth/user.h"

#include <gtest/gtest.h>

namespace roadstead::auth {
namespace {

bool good_email(const std::string& email) {
  return check_profile({.email = email, .realname = "A", .comment = ""}).has_value();
}

TEST(User, NamesWithoutSeparatorsAreGood) {
  for (const std::string good : {"alice", "a b", "a/b", "a@b", "ünï", " lead", "ADMIN"}) {
    EXPECT_TRUE(check_user_name(good)) << good;
  }
  for (const std::string bad : {"a,b", "a\"b", "a~b", "a#b", "a%b", "robot$x", "a:b", "a\nb"}) {
    EXPECT_EQ(check_user_name(bad).error().message, "username contains illegal characters") << bad;
  }
  EXPECT_EQ(check_user_name("").error().message, "username with illegal length");
  EXPECT_TRUE(check_user_name(std::string(255, 'x')));
  EXPECT_EQ(check_user_name(std::string(256, 'x')).error().message, "username with illegal length");
}

TEST(User, EmailHasALocalPartAndADomain) {
  for (const std::string good :
       {"a@b.co", "first.last@sub.example.com", "a+b@e-x.org", "\"a b\"@e.org", "a@[10.0.0.1]"}) {
    EXPECT_TRUE(good_email(good)) << good;
  }
  for (const std::string bad : {"bad", "a@b", "a b@c.de", "x9@y.z", "@e.org", "a..b@e.org",
                                "a@e..org", "a@[1.2.3]", "a@e.o1", "a@b@c.org"}) {
    EXPECT_FALSE(good_email(bad)) << bad;
  }
}

TEST(User, ProfileIsCheckedFieldByField) {
  EXPECT_EQ(check_profile({"", "A", ""}).error().message, "email can't be empty");
  EXPECT_EQ(check_profile({"a@b.co", "", ""}).error().message, "realname with illegal length");
  EXPECT_EQ(check_profile({"a@b.co", "a,b", ""}).error().message,
            "realname contains illegal characters");
  EXPECT_EQ(check_profile({"a@b.co", "A", std::string(31, 'x')}).error().message,
            "comment with illegal length");
  EXPECT_TRUE(check_profile({"a@b.co", "A", std::string(30, 'x')}));
}

TEST(User, PasswordNeedsThreeKindsOfCharacters) {
  EXPECT_TRUE(check_password("Oracle12345"));
  EXPECT_TRUE(check_password("A1a" + std::string(125, 'x')));
  for (const std::string& bad :
       {std::string(), std::string("short1A"), std::string("alllower12"), std::string("ALLUPPER12"),
        std::string("NoDigitsHere"), "A1a" + std::string(126, 'x'),
        std::string("\xC3\x9Cn\xC3\xAF"
                    "code1234")}) {
    EXPECT_EQ(check_password(bad).error().code, Code::kInvalid) << bad;
  }
}

}  // namespace
}  // namespace roadstead::auth
