#include "api/operation/time_text.h"

#include <string>

#include <gtest/gtest.h>

namespace roadstead::api {
namespace {

std::string normal(std::string_view text) {
  const auto time = parse_rfc3339(text);
  return time ? format_rfc3339(*time) : "";
}

TEST(TimeText, OffsetsAndFractionsCount) {
  EXPECT_EQ(normal("2026-11-25T10:00:00Z"), "2026-11-25T10:00:00.000Z");
  EXPECT_EQ(normal("2026-11-25t10:00:00.1239z"), "2026-11-25T10:00:00.123Z");
  EXPECT_EQ(normal("2026-11-25T00:30:00+01:00"), "2026-11-24T23:30:00.000Z");
  EXPECT_EQ(normal("2024-02-29T23:00:00-02:30"), "2024-03-01T01:30:00.000Z");
}

TEST(TimeText, WhatIsNoTimeIsNone) {
  for (const std::string_view bad :
       {"", "2026", "2026-11-25", "2026-11-25T10:00:00", "2026-11-25T10:00Z",
        "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-25T24:00:00Z",
        "2026-11-25T10:00:00.Z", "2026-11-25T10:00:00Zx", "2026-11-25T10:00:00+0100",
        "2026-11-25 10:00:00Z", "-026-11-25T10:00:00Z", "2026-11-25T10:00:00+01:0"}) {
    EXPECT_EQ(normal(bad), "") << bad;
  }
}

}  // namespace
}  // namespace roadstead::api
