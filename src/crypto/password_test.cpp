#include "crypto/password.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace roadstead::crypto {
namespace {

const std::string kHarborSalt = "cmoxdjJreUhvTkxmY0xDZFg0YlExQmdWWm1GbUxoRk0";

TEST(Password, RoundTrip) {
  const std::string stored = hash_password("Harbor12345");
  EXPECT_TRUE(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_TRUE(verify_password("Harbor12345", stored));
  EXPECT_FALSE(verify_password("harbor12345", stored));
  EXPECT_FALSE(verify_password("", stored));
  EXPECT_FALSE(verify_password("Harbor12345 ", stored));
  EXPECT_NE(hash_password("Harbor12345"), stored) << "salts must differ";
  EXPECT_TRUE(verify_password("", hash_password("")));
  const std::string with_zero("a\0b", 3);
  EXPECT_TRUE(verify_password(with_zero, hash_password(with_zero)));
  EXPECT_FALSE(verify_password("a", hash_password(with_zero)));
}

// Of the test suite of the argon2 reference implementation (version 0x13, argon2id).
TEST(Password, Argon2ReferenceVector) {
  const char* const stored =
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  EXPECT_TRUE(verify_password("password", stored));
  EXPECT_FALSE(verify_password("passwore", stored));
}

TEST(Password, ImportedForms) {
  const std::string rows[] = {
      "$pbkdf2-sha1$i=4096$" + kHarborSalt + "$c5e87475755c1a17f67ec2b5e9c063a7",
      "$pbkdf2-sha256$i=4096$" + kHarborSalt + "$384d27e075567308c9a6152dea88e016",
      "$pbkdf2-sha256$i=600000$" + kHarborSalt + "$1fd5ec1d79964e30acd4189ef59a3b33",
  };
  for (const std::string& stored : rows) {
    EXPECT_TRUE(verify_password("Harbor12345", stored)) << stored;
    EXPECT_FALSE(verify_password("Harbor12346", stored)) << stored;
    EXPECT_TRUE(needs_rehash(stored));
  }
}

// RFC 6070 and its SHA-256 counterpart: 4096 rounds over "password" and "salt".
TEST(Password, Pbkdf2Vectors) {
  EXPECT_TRUE(verify_password(
      "password", "$pbkdf2-sha1$i=4096$c2FsdA$4b007901b765489abead49d926f721d065a429c1"));
  EXPECT_TRUE(verify_password("password",
                              "$pbkdf2-sha256$i=4096$c2FsdA$c5e478d59288c841aa530db6845c4c8d"
                              "962893a001ce4e11a4963873aa98134a"));
}

TEST(Password, UnknownAndDamagedFormsVerifyNothing) {
  const std::string key = "384d27e075567308c9a6152dea88e016";
  const std::string ours = hash_password("x");
  const std::string bad[] = {
      "",
      "$",
      "$$$$$$",
      "x",
      "plain",
      "$argon2id",
      "$argon2id$v=19$m=19456,t=2,p=1",
      "$argon2id$v=19$m=19456,t=2,p=1$$",
      "$argon2i" + ours.substr(9),
      ours + "$x",
      ours.substr(0, ours.size() - 1),
      "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$" + ours.substr(ours.rfind('$') + 1),
      "$argon2id$v=19$m=19456,t=4000000,p=1$c29tZXNhbHQ$" + ours.substr(ours.rfind('$') + 1),
      "$argon2id$v=19$m=19456,t=2,p=9999$c29tZXNhbHQ$" + ours.substr(ours.rfind('$') + 1),
      "$pbkdf2-sha256$i=0$" + kHarborSalt + "$" + key,
      "$pbkdf2-sha256$i=-1$" + kHarborSalt + "$" + key,
      "$pbkdf2-sha256$i=99999999999$" + kHarborSalt + "$" + key,
      "$pbkdf2-sha256$4096$" + kHarborSalt + "$" + key,
      "$pbkdf2-sha256$i=4096$" + kHarborSalt + "$",
      "$pbkdf2-sha256$i=4096$" + kHarborSalt + "$" + key.substr(2),
      "$pbkdf2-sha256$i=4096$" + kHarborSalt + "$" + key + "$",
      "$pbkdf2-sha256$i=4096$not base64$" + key,
      "$pbkdf2-sha512$i=4096$" + kHarborSalt + "$" + key,
      "$pbkdf2-md5$i=4096$" + kHarborSalt + "$" + key,
      "pbkdf2-sha256$i=4096$" + kHarborSalt + "$" + key,
      std::string(100'000, '$'),
  };
  for (const std::string& stored : bad) {
    for (const char* password : {"", "x", "Harbor12345"}) {
      EXPECT_FALSE(verify_password(password, stored)) << stored.substr(0, 200);
    }
  }
  EXPECT_FALSE(verify_password(std::string(kPasswordSizeMax + 1, 'x'), ours));
}

TEST(Password, NeedsRehash) {
  EXPECT_FALSE(needs_rehash(hash_password("x")));
  EXPECT_TRUE(needs_rehash("$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$x"));
  EXPECT_TRUE(needs_rehash(""));
}

TEST(Password, DecoyCostsAsMuchAndVerifiesNothing) {
  EXPECT_TRUE(decoy_hash().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_EQ(&decoy_hash(), &decoy_hash());
  EXPECT_FALSE(verify_password("", decoy_hash()));
  EXPECT_FALSE(verify_password("admin", decoy_hash()));
}

}  // namespace
}  // namespace roadstead::crypto
