#include "base/result.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace roadstead {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) {
    return Error{Code::kInvalid, Subject::kRequest, "odd", {}};
  }
  return n / 2;
}

Result<std::string> quarter(int n) {
  const int h = TRY(half(n));
  return std::to_string(TRY(half(h)));
}

Result<void> check_even(int n) {
  TRY(half(n));
  return {};
}

TEST(Result, TryPassesValuesAndReturnsErrors) {
  EXPECT_EQ(quarter(12).value(), "3");
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(check_even(2));
  EXPECT_EQ(check_even(3).error().code, Code::kInvalid);
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> owned = std::make_unique<int>(7);
  EXPECT_EQ(*std::move(owned).value(), 7);
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureAborts) {
  EXPECT_DEATH({ static_cast<void>(half(1).value()); }, "invariant broken");
}

TEST(Error, ExhaustedResourcesAreTemporary) {
  EXPECT_EQ(system_error(ENOSPC, "write x").code, Code::kUnavailable);
  EXPECT_EQ(system_error(EIO, "write x").code, Code::kInternal);
  EXPECT_EQ(describe(Error{Code::kNotFound, Subject::kBlob, "no such blob", "sha256:0"}),
            "not found (blob): no such blob [sha256:0]");
}

}  // namespace
}  // namespace roadstead
