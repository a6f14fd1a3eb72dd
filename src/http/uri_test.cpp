#include "http/uri.h"

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

TEST(PercentDecode, DecodesOnlyWellFormedEscapes) {
  EXPECT_EQ(percent_decode("a%20b%2Fc%2f+"), "a b/c/+");
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("%C3%A9"), "\xc3\xa9");
  for (const char* bad : {"%", "%2", "%2g", "%g2", "%%20", "%00", "a%"}) {
    EXPECT_FALSE(percent_decode(bad).has_value()) << bad;
  }
}

TEST(PercentEncode, RoundTrips) {
  std::string all;
  for (int c = 1; c < 256; ++c) {
    all += static_cast<char>(c);
  }
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a/b c~", "/"), "a/b%20c~");
}

TEST(Query, ReadsParametersInOrder) {
  const auto query = Query::parse("a=1&b=x%20y&a=2+3&c&=d&&e=f=g");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->get("a"), "1");
  EXPECT_EQ(query->all("a"), (std::vector<std::string_view>{"1", "2 3"}));
  EXPECT_EQ(query->get("b"), "x y");
  EXPECT_EQ(query->get("c"), "");
  EXPECT_EQ(query->get(""), "d");
  EXPECT_EQ(query->get("e"), "f=g");
  EXPECT_FALSE(query->has("x"));
  EXPECT_TRUE(Query::parse("")->items().empty());
}

TEST(Query, RefusesBadEscapesAndTooMany) {
  EXPECT_FALSE(Query::parse("a=%zz"));
  EXPECT_FALSE(Query::parse("%=1"));
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "a=1&";
  }
  EXPECT_TRUE(Query::parse(text));
  EXPECT_FALSE(Query::parse(text + "a=1"));
}

}  // namespace
}  // namespace roadstead::http
