#include "storage/internal/s3_xml.h"

#include <gtest/gtest.h>

namespace roadstead::storage::internal {
namespace {

Time at(std::int64_t seconds, std::int64_t micros = 0) {
  return from_micros(seconds * 1'000'000 + micros);
}

TEST(S3Xml, ReadsAListOfObjects) {
  const ObjectPage page =
      parse_objects(
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult "
          "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>true</IsTruncated>"
          "<Contents><Key>a&amp;b</Key><LastModified>2026-11-26T10:15:23.500Z</LastModified>"
          "<Size>12</Size></Contents><Contents><Key>c</Key><LastModified>then</LastModified>"
          "<Size>x</Size></Contents><CommonPrefixes><Prefix>a&amp;b/</Prefix></CommonPrefixes>"
          "<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes><NextContinuationToken>t=/</"
          "NextContinuationToken>"
          "</ListBucketResult>")
          .value();
  ASSERT_EQ(page.objects.size(), 2U);
  EXPECT_EQ(page.objects[0].key, "a&b");
  EXPECT_EQ(page.objects[0].size, 12U);
  EXPECT_EQ(page.objects[0].modified_at, at(1'795'688'123, 500'000));
  EXPECT_EQ(page.objects[1].modified_at, Time::max()) << "what cannot be read is not old";
  EXPECT_EQ(page.prefixes, (std::vector<std::string>{"a&b/", "c/"}));
  EXPECT_EQ(page.next, "t=/");
}

TEST(S3Xml, ReadsUploadsAndParts) {
  const UploadPage uploads =
      parse_uploads(
          "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k"
          "</NextKeyMarker><NextUploadIdMarker>i</NextUploadIdMarker><Upload><Key>k</Key><UploadId>"
          "i</UploadId><Initiated>2026-11-26T10:15:23Z</Initiated></Upload>"
          "</ListMultipartUploadsResult>")
          .value();
  ASSERT_EQ(uploads.uploads.size(), 1U);
  EXPECT_EQ(uploads.uploads[0].id, "i");
  EXPECT_EQ(uploads.uploads[0].initiated_at, at(1'795'688'123));
  EXPECT_TRUE(uploads.more);
  const PartPage parts =
      parse_parts(
          "<ListPartsResult><Part><PartNumber>3</PartNumber><ETag>&quot;e&quot;</ETag>"
          "<Size>7</Size></Part></ListPartsResult>")
          .value();
  ASSERT_EQ(parts.parts.size(), 1U);
  EXPECT_EQ(parts.parts[0].number, 3U);
  EXPECT_EQ(parts.parts[0].etag, "\"e\"");
  EXPECT_TRUE(parts.next.empty());
}

TEST(S3Xml, WhatIsNoAnswerIsRefused) {
  for (const std::string_view text :
       {"", "<html>a proxy</html>", "<ListBucketResult>", "not xml",
        "<Error><Code>X</Code></Error>", "<!DOCTYPE a [<!ENTITY b \"cc\">]><a>&b;</a>"}) {
    EXPECT_FALSE(parse_objects(text)) << text;
    EXPECT_FALSE(parse_uploads(text)) << text;
    EXPECT_FALSE(parse_parts(text)) << text;
    EXPECT_FALSE(parse_upload_id(text)) << text;
    EXPECT_FALSE(parse_delete_errors(text)) << text;
    EXPECT_FALSE(parse_assumed_role(text)) << text;
  }
  EXPECT_FALSE(
      parse_objects("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"))
      << "more, but not where";
  EXPECT_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
}

TEST(S3Xml, EntitiesOfADocumentAreNotExpanded) {
  const auto page = parse_objects(
      "<!DOCTYPE x [<!ENTITY e \"eeee\">]><ListBucketResult><Contents><Key>&e;</Key></Contents>"
      "</ListBucketResult>");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->objects[0].key, "&e;");
}

TEST(S3Xml, ErrorsHaveCodes) {
  EXPECT_EQ(error_code("<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code></Error>"),
            "SlowDown");
  EXPECT_EQ(error_code("\n  \n<Error><Code>InternalError</Code></Error>"), "InternalError")
      << "a store keeps the connection alive with blanks before it answers";
  EXPECT_EQ(error_code("<html/>"), "");
  EXPECT_EQ(error_code("<Error><Code>a\nforged line</Code></Error>"), "Unreadable");
  EXPECT_EQ(parse_delete_errors("<DeleteResult/>").value(), "");
  EXPECT_EQ(parse_delete_errors("<DeleteResult><Error><Code>NoSuchKey</Code></Error><Error><Code>"
                                "AccessDenied</Code></Error></DeleteResult>")
                .value(),
            "AccessDenied");
}

TEST(S3Xml, ReadsTimes) {
  EXPECT_EQ(parse_iso_time("2026-11-26T10:15:23Z"), at(1'795'688'123));
  EXPECT_EQ(parse_iso_time("2026-11-26T10:15:23.000001Z"), at(1'795'688'123, 1));
  EXPECT_EQ(parse_http_date("Thu, 26 Nov 2026 10:15:23 GMT"), at(1'795'688'123));
  for (const std::string_view wrong :
       {"", "2026-11-26", "2026-13-26T10:15:23Z", "2026-02-30T10:15:23Z", "2026-11-26T25:15:23Z",
        "2026-11-26T10:15:23+01:00", "2026-11-26T10:15:23.Z", "2026-11-26T10:15:23.xZ"}) {
    EXPECT_FALSE(parse_iso_time(wrong)) << wrong;
  }
  EXPECT_FALSE(parse_http_date("Thu, 26 Foo 2026 10:15:23 GMT"));
  EXPECT_FALSE(parse_http_date("Thursday, 26-Nov-26 10:15:23 GMT"));
}

TEST(S3Xml, WritesRequests) {
  EXPECT_NE(write_completion({"\"a\"", "\"<\""})
                .find("<Part><PartNumber>2</PartNumber><ETag>\"&lt;\"</ETag></Part>"),
            std::string::npos);
  EXPECT_NE(write_deletion({"a&b"}).find("<Object><Key>a&amp;b</Key></Object>"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::storage::internal
