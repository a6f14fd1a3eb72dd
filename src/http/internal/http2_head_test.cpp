#include "http/internal/http2_head.h"

#include <utility>

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields kPlain{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/x"}};

struct Made {
  std::string text;
  int status = 0;
};

Made make(const Fields& fields, const HeadLimits& limits = {}) {
  ByteBuffer text;
  Http2Head head;
  head.begin(text, limits);
  for (const auto& [name, value] : fields) {
    head.add(name, value);
  }
  const bool sound = head.finish();
  EXPECT_EQ(sound, head.refusal().reason.empty());
  return {std::string(text.text()), sound ? 0 : head.refusal().status};
}

Fields with(Fields more) {
  more.insert(more.begin(), kPlain.begin(), kPlain.end());
  return more;
}

TEST(Http2Head, BecomesTheTextOfAnHttp1Head) {
  EXPECT_EQ(make(kPlain).text, "GET /x HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_EQ(make(with({{"accept", "a/b"}, {"te", "trailers"}})).text,
            "GET /x HTTP/1.1\r\nhost: a\r\naccept: a/b\r\nte: trailers\r\n\r\n");
  EXPECT_EQ(make({{":method", "GET"}, {":path", "/"}, {"host", "b"}}).text,
            "GET / HTTP/1.1\r\nhost: b\r\n\r\n");
}

TEST(Http2Head, HostAndAuthorityAreOneOrRefused) {
  EXPECT_EQ(make(with({{"host", "A"}})).text, "GET /x HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_EQ(make(with({{"host", "b"}})).status, 400);
}

TEST(Http2Head, NothingBecomesMoreThanOneLine) {
  for (const char* value : {"a\r\nb: c", "a\nb", "a\rb", "\x7f"}) {
    EXPECT_EQ(make(with({{"x", value}})).status, 400) << value;
    EXPECT_EQ(make({{":method", "GET"}, {":path", std::string("/") + value}}).status, 400) << value;
    EXPECT_EQ(make({{":method", std::string("GET") + value}, {":path", "/"}}).text.find('\r'), 11U);
  }
  EXPECT_EQ(make({{":method", "GET / HTTP/1.1"}, {":path", "/"}}).status, 400);
  EXPECT_EQ(make({{":method", "GET"}, {":path", "/a b"}}).status, 400);
  EXPECT_EQ(make(with({{"a b", "c"}})).status, 400);
  EXPECT_EQ(make(with({{"a:b", "c"}})).status, 400);
  EXPECT_EQ(make(with({{"", "c"}})).status, 400);
}

TEST(Http2Head, TargetsBeginWithASlash) {
  for (const char* path : {"", "*", "http://a/", "x"}) {
    EXPECT_EQ(make({{":method", "GET"}, {":path", path}}).status, 400) << path;
  }
  EXPECT_EQ(make({{":method", "GET"}, {":path", "/" + std::string(20'000, 'a')}}).status, 414);
}

TEST(Http2Head, WhatIsOverALimitIsNotKept) {
  Fields many(6, {"x", "y"});
  EXPECT_EQ(make(with(many), {1000, 5}).status, 431);
  EXPECT_EQ(make(with({{"x", std::string(2000, 'a')}}), {1000, 5}).status, 431);
  EXPECT_LT(make(with({{"x", std::string(2000, 'a')}}), {1000, 5}).text.size(), 1000U);
  Fields flood(1000, {"x", "y"});
  EXPECT_LT(make(with(flood), {1000, 2000}).text.size(), 1000U);
}

}  // namespace
}  // namespace roadstead::http
