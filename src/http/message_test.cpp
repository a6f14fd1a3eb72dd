#include "http/message.h"

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

TEST(Response, KeepsHeadersInOrder) {
  Response response(201);
  response.add_header("Location", "/x").set_etag("\"t\"").allow_ranges();
  response.set_body("hello", "text/plain");
  EXPECT_EQ(response.header_block(),
            "Location: /x\r\nETag: \"t\"\r\nAccept-Ranges: bytes\r\nContent-Type: text/plain\r\n");
  EXPECT_EQ(response.header("etag"), "\"t\"");
  EXPECT_FALSE(response.header("Content-Length").has_value());
  EXPECT_EQ(response.content_length(), 5U);
  EXPECT_EQ(Response().set_length_only(99, "a/b").content_length(), 99U);
}

TEST(ResponseDeathTest, LineBreaksInHeadersAreDefects) {
  Response response;
  EXPECT_DEATH(response.add_header("X", "a\r\nY: b"), "invariant");
  EXPECT_DEATH(response.add_header("X\n", "a"), "invariant");
}

TEST(Request, FindsHeadersInAnyCase) {
  const std::vector<HeaderField> fields{{"Accept", "a"}, {"ACCEPT", "b"}};
  Request request;
  request.headers = fields;
  EXPECT_EQ(request.header("accept"), "a");
  EXPECT_FALSE(request.header("range").has_value());
}

}  // namespace
}  // namespace roadstead::http
