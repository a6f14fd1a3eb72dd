#include "auth/testing/shared_debts_contract.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace roadstead::auth::testing {
namespace {

using namespace std::chrono_literals;
using Milliseconds = SharedDebts::Milliseconds;

Milliseconds owed(SharedDebts& debts, const std::string& key) {
  const auto times = debts.owed(std::span(&key, 1));
  if (!times || times->size() != 1) {
    ADD_FAILURE() << "nothing is told of what is owed";
    return Milliseconds{-1};
  }
  return times->front();
}

/// What was owed and is being paid while the test runs.
void expect_about(Milliseconds owed, Milliseconds expected) {
  EXPECT_LE(owed, expected);
  EXPECT_GT(owed, expected - 20s);
}

}  // namespace

void check_shared_debts(SharedDebts& one, SharedDebts& other,
                        const std::function<void(Milliseconds)>& wait) {
  const std::string odd("zero\0 and\r\n space", 17);
  EXPECT_EQ(owed(one, "a").count(), 0);
  one.add(std::array{SharedDebts::Debt{"a", 60s, 150s}, SharedDebts::Debt{odd, 30s, 150s}});
  expect_about(owed(other, "a"), 60s);
  expect_about(owed(other, odd), 30s);
  other.add(std::array{SharedDebts::Debt{"a", 60s, 150s}});
  expect_about(owed(one, "a"), 120s);
  one.add(std::array{SharedDebts::Debt{"a", 60s, 150s}});
  expect_about(owed(one, "a"), 150s);
  EXPECT_EQ(owed(one, "A").count(), 0);

  one.set(std::array{SharedDebts::Debt{"a", 0s, {}}, SharedDebts::Debt{"b", 300s, {}}});
  const std::array<std::string, 3> keys{"a", "b", odd};
  const auto times = other.owed(keys);
  ASSERT_TRUE(times);
  ASSERT_EQ(times->size(), 3U);
  EXPECT_EQ(times->at(0).count(), 0);
  expect_about(times->at(1), 300s);
  expect_about(times->at(2), 30s);

  one.add(std::array{SharedDebts::Debt{"short", 50ms, 1s}});
  wait(100ms);
  EXPECT_EQ(owed(other, "short").count(), 0);
}

}  // namespace roadstead::auth::testing
