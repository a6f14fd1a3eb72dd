#include "base/text.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace roadstead {
namespace {

TEST(Text, ParsesNumbersStrictly) {
  EXPECT_EQ(parse_uint64("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", " 1", "1 ", "+1", "-1", "0x1", "18446744073709551616", "1.0"}) {
    EXPECT_EQ(parse_uint64(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_int64("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_int64("9223372036854775808"), std::nullopt);
}

TEST(Text, Base64RoundTripsAndRefusesTwoSpellings) {
  for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\x00z"}) {
    EXPECT_EQ(from_base64(to_base64(bytes_of(text))), text);
    EXPECT_EQ(from_base64url(to_base64url(bytes_of(text))), text);
  }
  EXPECT_EQ(to_base64(bytes_of("ab")), "YWI=");
  EXPECT_EQ(from_base64("YWI"), std::nullopt);   // padding missing
  EXPECT_EQ(from_base64("YWJ="), std::nullopt);  // left-over bits
  EXPECT_EQ(from_base64url("YW I"), std::nullopt);
}

TEST(Text, HexRoundTrips) {
  EXPECT_EQ(to_hex(bytes_of("\x01\xab")), "01ab");
  EXPECT_EQ(to_hex(from_hex("01AB").value()), "01ab");
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0g"), std::nullopt);
}

TEST(Text, SplitAndTrim) {
  EXPECT_EQ(split("a,,b", ',').size(), 3U);
  EXPECT_EQ(split("", ',').size(), 1U);
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_TRUE(equals_ignoring_case("Content-Type", "content-type"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
}

TEST(Clock, FormatsAsTheProtocolsWant) {
  const Time time = from_micros(1'795'419'110'123'456);
  EXPECT_EQ(format_rfc3339(time), "2026-11-23T07:31:50.123Z");
  EXPECT_EQ(format_http_date(time), "Mon, 23 Nov 2026 07:31:50 GMT");
}

}  // namespace
}  // namespace roadstead
