#include "storage/internal/s3_signer.h"

#include <gtest/gtest.h>

#include "crypto/hasher.h"

namespace roadstead::storage::internal {
namespace {

using namespace std::chrono_literals;

// The examples of AWS's documentation ("Signature Calculations for the Authorization Header",
// "Authenticating Requests: Using Query Parameters").
const S3Credentials kExampleKeys{
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}};
const Time kExampleTime{std::chrono::sys_days(2013y / 5 / 24).time_since_epoch()};
const std::string kHost = "examplebucket.s3.amazonaws.com";

std::string hash_of(std::string_view text) {
  return crypto::hex_digest(crypto::HashAlgorithm::kSha256, text);
}

std::string signature_of(SignedRequest request, std::string_view payload) {
  sign(request, {"us-east-1"}, kExampleKeys, kExampleTime, hash_of(payload));
  const std::string& authorization = request.headers.back().second;
  return authorization.substr(authorization.rfind('=') + 1);
}

TEST(S3Signer, SignsAsInAmazonsExamples) {
  EXPECT_EQ(signature_of({"GET", kHost, "/test.txt", {}, {{"range", "bytes=0-9"}}}, ""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(signature_of({"PUT",
                          kHost,
                          encode_path("/test$file.text"),
                          {},
                          {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                         "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(signature_of({"GET", kHost, "/", {{"lifecycle", ""}}, {}}, ""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(signature_of({"GET", kHost, "/", {{"max-keys", "2"}, {"prefix", "J"}}, {}}, ""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(S3Signer, PresignsAsInAmazonsExample) {
  const std::string query = presign({"GET", kHost, "/test.txt", {}, {}}, {"us-east-1"},
                                    kExampleKeys, kExampleTime, std::chrono::hours(24));
  EXPECT_TRUE(query.ends_with(
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
      << query;
}

TEST(S3Signer, WritesAllOfTheHeader) {
  SignedRequest request{"GET", kHost, "/test.txt", {}, {{"range", "bytes=0-9"}}};
  sign(request, {"us-east-1"}, kExampleKeys, kExampleTime, hash_of(""));
  EXPECT_EQ(request.headers.back().second,
            "AWS4-HMAC-SHA256 "
            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(S3Signer, SignsTheTokenOfCredentialsThatExpire) {
  S3Credentials keys = kExampleKeys;
  keys.session_token = "a/token+=";
  SignedRequest request{"GET", kHost, "/", {}, {}};
  sign(request, {"us-east-1"}, keys, kExampleTime, kUnsignedPayload);
  EXPECT_NE(request.headers.back().second.find(";x-amz-security-token,"), std::string::npos);
  const std::string query =
      presign({"GET", kHost, "/", {}, {}}, {"us-east-1"}, keys, kExampleTime, 60s);
  EXPECT_NE(query.find("X-Amz-Security-Token=a%2Ftoken%2B%3D&"), std::string::npos) << query;
}

TEST(S3Signer, OrdersAQueryByItsEncodedNames) {
  EXPECT_EQ(canonical_query({{"b", "x y"}, {"a", "/"}, {"a", ""}, {"A", "~"}}),
            "A=~&a=&a=%2F&b=x%20y");
  EXPECT_EQ(encode_path("/a b/ü+c"), "/a%20b/%C3%BC%2Bc");
}

}  // namespace
}  // namespace roadstead::storage::internal
