#include "model/reference.h"

#include <random>

#include <gtest/gtest.h>
#include <regex.h>

namespace roadstead::model {
namespace {

TEST(Tag, Table) {
  for (const std::string good : {"a", "latest", "_", "__", "1.0", "V1.2-rc_3", "a..b", "a-"}) {
    EXPECT_EQ(Tag::parse(good).value().to_string(), good);
  }
  EXPECT_TRUE(Tag::parse(std::string(128, 'x')));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string("-a"), std::string(".a"), std::string("a/b"),
        std::string("a b"), std::string("a:b"), std::string("a+b"), std::string("\xc3\xa9"),
        std::string("a\0b", 3), std::string("a\n"), std::string(129, 'x')}) {
    const auto result = Tag::parse(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(result.error().subject, Subject::kTag);
  }
}

TEST(Reference, ColonMakesADigest) {
  const std::string digest = "sha256:" + std::string(64, '0');
  EXPECT_TRUE(std::holds_alternative<Digest>(parse_reference(digest).value()));
  EXPECT_TRUE(std::holds_alternative<Tag>(parse_reference("latest").value()));
  EXPECT_EQ(to_string(parse_reference(digest).value()), digest);
  EXPECT_EQ(to_string(parse_reference("v1").value()), "v1");
  EXPECT_EQ(parse_reference("sha256:abc").error().subject, Subject::kDigest);
  EXPECT_EQ(parse_reference("a b").error().subject, Subject::kTag);
}

TEST(RepositoryName, Parts) {
  const auto name = RepositoryName::parse("library/a/b").value();
  EXPECT_EQ(name.to_string(), "library/a/b");
  EXPECT_EQ(name.project(), "library");
  EXPECT_EQ(name.path(), "a/b");
}

TEST(RepositoryName, Table) {
  for (const char* good : {"a/b", "a.b/c_d/e__f/g-h/i---j", "0/1", "library/alpine"}) {
    EXPECT_TRUE(RepositoryName::parse(good)) << good;
  }
  for (const char* bad :
       {"",     "a",     "library",     "/",      "a/",     "/a",     "a//b", "A/b",   "a/B",
        "a/b_", "a/_b",  "a/b___c",     "a/b..c", "a/b._c", "a/b-_c", "-a/b", "a-/b",  "a/../b",
        "a/.",  "a/b c", "a/b\xc3\xa9", "a/b:c",  "a/b@c",  "a\\b",   "a/b/", "a/b\n", "%61/b"}) {
    const auto result = RepositoryName::parse(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, Code::kInvalid) << bad;
    EXPECT_EQ(result.error().subject, Subject::kName) << bad;
    EXPECT_EQ(result.error().detail, bad);
  }
}

TEST(RepositoryName, AtMost255CharactersInAll) {
  EXPECT_TRUE(RepositoryName::parse("p/" + std::string(253, 'a')));
  EXPECT_FALSE(RepositoryName::parse("p/" + std::string(254, 'a')));
}

TEST(ProjectName, OneComponent) {
  EXPECT_TRUE(is_project_name("library"));
  EXPECT_TRUE(is_project_name("a-b.c_d"));
  EXPECT_TRUE(is_project_name(std::string(255, 'a')));
  for (const std::string& bad : {std::string(), std::string("A"), std::string("a/b"),
                                 std::string("a_"), std::string(256, 'a')}) {
    EXPECT_FALSE(is_project_name(bad)) << bad;
  }
}

// A POSIX extended expression that must match the whole text.
class Expression {
 public:
  explicit Expression(const std::string& text) {
    EXPECT_EQ(regcomp(&compiled_, ("^" + text + "$").c_str(), REG_EXTENDED | REG_NOSUB), 0);
  }
  ~Expression() { regfree(&compiled_); }
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;
  [[nodiscard]] bool matches(const std::string& text) const {
    return regexec(&compiled_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
};

// The expressions of the distribution specification are the oracle; short random texts over the
// characters that matter reach every transition of the hand-written parsers.
TEST(Reference, AgreesWithTheSpecificationsExpressions) {
  const std::string component = R"([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)";
  const Expression name(component + "(/" + component + ")*");
  const Expression tag("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}");
  std::mt19937 random(5);
  constexpr std::string_view kLetters = "ab0._-/Z";
  int names = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string text;
    for (std::size_t n = random() % 10; n > 0; --n) {
      text += kLetters[random() % kLetters.size()];
    }
    const bool one = text.find('/') == std::string::npos;
    const bool is_name = name.matches(text);
    ASSERT_EQ(RepositoryName::parse(text).has_value(), is_name && !one) << text;
    ASSERT_EQ(is_project_name(text), is_name && one) << text;
    ASSERT_EQ(Tag::parse(text).has_value(), tag.matches(text)) << text;
    names += is_name && !one ? 1 : 0;
  }
  EXPECT_GT(names, 100) << "the generator must reach good names";
}

}  // namespace
}  // namespace roadstead::model
