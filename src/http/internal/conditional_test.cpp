#include "http/internal/conditional.h"

#include <vector>

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

using Kind = Selection::Kind;

TEST(Etags, AreComparedWeakly) {
  EXPECT_TRUE(lists_etag("\"a\"", "\"a\""));
  EXPECT_TRUE(lists_etag("W/\"a\"", "\"a\""));
  EXPECT_TRUE(lists_etag("\"a\"", "W/\"a\""));
  EXPECT_TRUE(lists_etag(" * ", "\"a\""));
  EXPECT_TRUE(lists_etag("\"b\", W/\"c\",,\"a\"", "\"a\""));
  EXPECT_TRUE(lists_etag("\"b,\", \"a,b\"", "\"a,b\""));
  EXPECT_FALSE(lists_etag("\"b\"", "\"a\""));
  EXPECT_FALSE(lists_etag("a", "\"a\""));
  EXPECT_FALSE(lists_etag("\"a", "\"a\""));
  EXPECT_FALSE(lists_etag("", "\"a\""));
}

struct RangeCase {
  const char* value;
  std::uint64_t size;
  Kind kind;
  std::uint64_t offset;
  std::uint64_t length;
};

TEST(Range, SelectsOnePart) {
  const std::vector<RangeCase> cases{
      {"bytes=0-0", 10, Kind::kPartial, 0, 1},
      {"bytes=2-5", 10, Kind::kPartial, 2, 4},
      {"bytes=2-", 10, Kind::kPartial, 2, 8},
      {"bytes=2-99", 10, Kind::kPartial, 2, 8},
      {"bytes=-3", 10, Kind::kPartial, 7, 3},
      {"bytes=-30", 10, Kind::kPartial, 0, 10},
      {"Bytes=0-0", 10, Kind::kPartial, 0, 1},
      {"bytes=10-", 10, Kind::kUnsatisfiable, 0, 0},
      {"bytes=10-20", 10, Kind::kUnsatisfiable, 0, 0},
      {"bytes=-0", 10, Kind::kUnsatisfiable, 0, 0},
      {"bytes=0-", 0, Kind::kUnsatisfiable, 0, 0},
      {"bytes=-1", 0, Kind::kUnsatisfiable, 0, 0},
      {"bytes=0-1,3-4", 10, Kind::kWhole, 0, 0},
      {"bytes=5-2", 10, Kind::kWhole, 0, 0},
      {"bytes=-", 10, Kind::kWhole, 0, 0},
      {"bytes=a-b", 10, Kind::kWhole, 0, 0},
      {"bytes=1", 10, Kind::kWhole, 0, 0},
      {"bytes=0-18446744073709551616", 10, Kind::kWhole, 0, 0},
      {"bytes=0-18446744073709551615", 10, Kind::kPartial, 0, 10},
      {"lines=0-1", 10, Kind::kWhole, 0, 0},
      {"", 10, Kind::kWhole, 0, 0},
  };
  for (const RangeCase& each : cases) {
    const Selection got = select_range(each.value, each.size);
    EXPECT_EQ(got.kind, each.kind) << each.value;
    EXPECT_EQ(got.offset, each.offset) << each.value;
    EXPECT_EQ(got.length, each.length) << each.value;
  }
}

Selection select_with(std::vector<HeaderField> fields, Method method = Method::kGet,
                      bool ranges = true) {
  Request request;
  request.method = method;
  request.headers = fields;
  Response response;
  response.set_body("0123456789", "text/plain").set_etag("\"tag\"");
  if (ranges) {
    response.allow_ranges();
  }
  return select(request, response);
}

TEST(Select, WeighsConditionsBeforeRanges) {
  EXPECT_EQ(select_with({}).kind, Kind::kWhole);
  EXPECT_EQ(select_with({{"if-none-match", "\"tag\""}}).kind, Kind::kNotModified);
  EXPECT_EQ(select_with({{"If-None-Match", "\"x\""}, {"If-None-Match", "\"tag\""}}).kind,
            Kind::kNotModified);
  EXPECT_EQ(select_with({{"If-None-Match", "\"tag\""}}, Method::kPut).kind, Kind::kWhole);
  EXPECT_EQ(select_with({{"If-None-Match", "\"tag\""}, {"Range", "bytes=0-1"}}).kind,
            Kind::kNotModified);
  EXPECT_EQ(select_with({{"Range", "bytes=0-1"}}).kind, Kind::kPartial);
  EXPECT_EQ(select_with({{"Range", "bytes=0-1"}}, Method::kHead).kind, Kind::kWhole);
  EXPECT_EQ(select_with({{"Range", "bytes=0-1"}}, Method::kGet, false).kind, Kind::kWhole);
  EXPECT_EQ(select_with({{"Range", "bytes=0-1"}, {"If-Range", "\"tag\""}}).kind, Kind::kPartial);
  EXPECT_EQ(select_with({{"Range", "bytes=0-1"}, {"If-Range", "\"old\""}}).kind, Kind::kWhole);
  EXPECT_EQ(select_with({{"Range", "bytes=0-1"}, {"If-Range", "W/\"tag\""}}).kind, Kind::kWhole);
}

}  // namespace
}  // namespace roadstead::http
