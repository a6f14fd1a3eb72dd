#include "crypto/secret_box.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "base/text.h"

namespace roadstead::crypto {
namespace {

TEST(SecretBox, RoundTrip) {
  const std::string key = new_secret_key();
  ASSERT_EQ(key.size(), kSecretKeySize);
  for (const std::string& text :
       {std::string(), std::string("x"), std::string("a\0b\xff", 4), std::string(100'000, 'z')}) {
    const std::string sealed = seal(key, text, "property:signing_key");
    EXPECT_EQ(open(key, sealed, "property:signing_key").value(), text);
    EXPECT_EQ(sealed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_:"),
              std::string::npos);
  }
  EXPECT_EQ(open(key, seal(key, "x")).value(), "x");
}

TEST(SecretBox, EveryCallGivesAnotherText) {
  const std::string key = new_secret_key();
  EXPECT_NE(seal(key, "x"), seal(key, "x"));
  EXPECT_NE(new_secret_key(), key);
}

TEST(SecretBox, RefusesOtherKeyContextAndChangedText) {
  const std::string key = new_secret_key();
  const std::string sealed = seal(key, "secret", "a");
  EXPECT_FALSE(open(new_secret_key(), sealed, "a"));
  EXPECT_FALSE(open(key, sealed, "b"));
  EXPECT_FALSE(open(key, sealed));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string bad = sealed;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(open(key, bad, "a")) << i;
    const auto cut = open(key, sealed.substr(0, i), "a");
    ASSERT_FALSE(cut) << i;
    EXPECT_EQ(cut.error().code, Code::kInvalid);
  }
  EXPECT_FALSE(open(key, sealed + "A", "a"));
  EXPECT_FALSE(open(key, std::string(10'000'000, 'A'), "a"));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

// A text sealed by an earlier version must open for ever. Made with another implementation of
// AES-256-GCM: key 00 01 … 1f, nonce a0 a1 … ab, context "context", text "secret".
TEST(SecretBox, FormIsStable) {
  std::string key;
  for (char c = 0; c < 32; ++c) {
    key += c;
  }
  EXPECT_EQ(open(key, "v1:oKGio6SlpqeoqaqrlX0fXyC_TdV0ogq8-KdDFOHQGVc4Dg", "context").value(),
            "secret");
}

TEST(SecretBoxDeathTest, KeySizeIsChecked) {
  EXPECT_DEATH((void)seal("short", "x"), "kSecretKeySize");
  EXPECT_DEATH((void)open("short", "x"), "kSecretKeySize");
}

}  // namespace
}  // namespace roadstead::crypto
