#include <map>

#include <gtest/gtest.h>

#include "storage/s3.h"

namespace roadstead::storage {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment environment(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(S3Url, OfAmazon) {
  const S3Options options = parse_s3_url("s3://registry-blobs", environment({})).value();
  EXPECT_EQ(options.bucket, "registry-blobs");
  EXPECT_EQ(options.prefix, "");
  EXPECT_EQ(options.region, "us-east-1");
  EXPECT_EQ(options.endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_FALSE(options.path_style);
  const S3Options other =
      parse_s3_url("s3://with.dots/a/b/?region=eu-west-3", environment({})).value();
  EXPECT_EQ(other.endpoint, "https://s3.eu-west-3.amazonaws.com");
  EXPECT_EQ(other.prefix, "a/b/");
  EXPECT_TRUE(other.path_style) << "no certificate covers it";
}

TEST(S3Url, OfOthers) {
  const S3Options options =
      parse_s3_url(
          "s3://blobs/p?endpoint=https://ks3-cn-beijing.ksyuncs.com&region=BEIJING&path_style=false"
          "&part_size=16MiB&buffer=1GiB&sse=aws:kms&sse_kms_key=k/1&storage_class=STANDARD_IA"
          "&ca=/etc/ca.pem&public_endpoint=https%3A%2F%2Fcdn.example.org%3A8443/",
          environment({}))
          .value();
  EXPECT_EQ(options.endpoint, "https://ks3-cn-beijing.ksyuncs.com");
  EXPECT_EQ(options.public_endpoint, "https://cdn.example.org:8443");
  EXPECT_FALSE(options.path_style);
  EXPECT_EQ(options.part_size, 16ULL << 20U);
  EXPECT_EQ(options.buffer_max, 1ULL << 30U);
  EXPECT_EQ(options.server_side_encryption, "aws:kms");
  EXPECT_EQ(options.kms_key, "k/1");
  EXPECT_EQ(options.storage_class, "STANDARD_IA");
  EXPECT_EQ(options.ca_file, "/etc/ca.pem");
  EXPECT_TRUE(parse_s3_url("s3://blobs?endpoint=http://127.0.0.1:9000", environment({}))
                  .value()
                  .path_style);
}

TEST(S3Url, TakesAmazonsVariables) {
  const S3Options options =
      parse_s3_url("s3://blobs", environment({{"AWS_DEFAULT_REGION", "x-1"},
                                              {"AWS_ENDPOINT_URL", "http://[::1]:9000"}}))
          .value();
  EXPECT_EQ(options.region, "x-1");
  EXPECT_EQ(options.endpoint, "http://[::1]:9000");
  EXPECT_EQ(parse_s3_url("s3://blobs?region=y", environment({{"AWS_REGION", "x"}})).value().region,
            "y");
}

TEST(S3Url, MistakesAreNamed) {
  for (const auto& [url, named] :
       std::map<std::string, std::string>{{"s3:/blobs", "s3://"},
                                          {"s3://", "bucket"},
                                          {"s3://a/b", "bucket"},
                                          {"s3://a b c", "bucket"},
                                          {"s3://blobs/a b", "prefix"},
                                          {"s3://blobs/../a", "prefix"},
                                          {"s3://blobs?endpoint=minio:9000", "endpoint"},
                                          {"s3://blobs?endpoint=http://a/path", "endpoint"},
                                          {"s3://blobs?endpoint=http://user:secret@a", "endpoint"},
                                          {"s3://blobs?part_size=5MiB", "part_size"},
                                          {"s3://blobs?part_size=big", "part_size"},
                                          {"s3://blobs?path_style=maybe", "path_style"},
                                          {"s3://blobs?sse=rot13", "sse"},
                                          {"s3://blobs?sse_kms_key=k", "sse_kms_key"},
                                          {"s3://blobs?secret=x", "\"secret\""},
                                          {"s3://blobs?region=a%0Ab", "region"}}) {
    const auto options = parse_s3_url(url, environment({}));
    ASSERT_FALSE(options) << url;
    EXPECT_EQ(options.error().code, Code::kInvalid);
    EXPECT_EQ(options.error().subject, Subject::kConfiguration);
    EXPECT_NE(options.error().message.find(named), std::string::npos) << options.error().message;
  }
}

}  // namespace
}  // namespace roadstead::storage
