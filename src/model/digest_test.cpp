#include "model/digest.h"

#include <random>

#include <gtest/gtest.h>

namespace roadstead::model {
namespace {

const std::string kHex256(64, 'a');
const std::string kHex512(128, '0');

TEST(Digest, ParsesWhatTheSpecificationNames) {
  const auto small = Digest::parse("sha256:" + kHex256);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->algorithm(), Algorithm::kSha256);
  EXPECT_EQ(small->hex(), kHex256);
  EXPECT_EQ(small->to_string(), "sha256:" + kHex256);
  const auto large = Digest::parse("sha512:" + kHex512);
  ASSERT_TRUE(large);
  EXPECT_EQ(large->algorithm(), Algorithm::kSha512);
  EXPECT_EQ(large->hex(), kHex512);
  EXPECT_EQ(*large, Digest::from_hex(Algorithm::kSha512, kHex512));
  EXPECT_NE(*large, *small);
}

TEST(Digest, RefusesEverythingElse) {
  const std::string bad[] = {
      "",
      ":",
      "sha256",
      "sha256:",
      kHex256,
      ":" + kHex256,
      "sha256:" + kHex256.substr(1),
      "sha256:" + kHex256 + "a",
      "sha256:" + kHex512,
      "sha512:" + kHex256,
      "SHA256:" + kHex256,
      "sha256:" + std::string(64, 'A'),
      "sha256:" + std::string(64, 'g'),
      "sha256:" + std::string(63, 'a') + '\0',
      "sha256:" + kHex256 + "\n",
      " sha256:" + kHex256,
      "sha256::" + kHex256,
      "sha256:../../../../../../../../../../../../../../../../../../../etc/pa",
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "blake3:" + kHex256,
      "sha384:" + std::string(96, 'a'),
      std::string(1'000'000, 'a'),
  };
  for (const auto& text : bad) {
    const auto result = Digest::parse(text);
    ASSERT_FALSE(result) << text.substr(0, 200);
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(result.error().subject, Subject::kDigest);
    EXPECT_LE(result.error().detail.size(), 160U);
  }
}

TEST(Digest, OfContent) {
  EXPECT_EQ(Digest::of("").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    const auto digest =
        Digest::of(std::to_string(random()), i % 2 == 0 ? Algorithm::kSha256 : Algorithm::kSha512);
    EXPECT_EQ(Digest::parse(digest.to_string()).value(), digest);
    EXPECT_EQ(Digest::from_hex(digest.algorithm(), digest.hex()), digest);
  }
}

TEST(Algorithm, KnownUnsupportedAndUnknown) {
  EXPECT_EQ(parse_algorithm("sha256").value(), Algorithm::kSha256);
  EXPECT_EQ(parse_algorithm("sha512").value(), Algorithm::kSha512);
  EXPECT_EQ(parse_algorithm("blake3").error().code, Code::kUnsupported);
  for (const char* name : {"", "sha1", "SHA256", "sha256 ", "sha-256"}) {
    EXPECT_EQ(parse_algorithm(name).error().code, Code::kInvalid) << name;
  }
}

TEST(DigestDeathTest, FromHexChecksItsInvariant) {
  EXPECT_DEATH((void)Digest::from_hex(Algorithm::kSha256, "ab"), "CHECK|hex");
}

}  // namespace
}  // namespace roadstead::model
