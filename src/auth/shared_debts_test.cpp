#include "auth/shared_debts.h"

#include <string>

#include <gtest/gtest.h>

#include "auth/login_throttle.h"
#include "auth/testing/memory_debts.h"
#include "auth/testing/shared_debts_contract.h"

namespace roadstead::auth {
namespace {

TEST(MemoryDebts, KeepsTheContract) {
  FakeClock clock(from_micros(1'000'000'000));
  testing::MemoryDebts debts(clock);
  testing::check_shared_debts(debts, debts, [&](auto time) { clock.advance(time); });
}

class Replicas : public ::testing::Test {
 protected:
  static void fail(LoginThrottle& at, int times, const std::string& account,
                   const std::string& address) {
    for (int i = 0; i < times; ++i) {
      at.failed(account, address);
    }
  }
  static bool admitted(LoginThrottle& at, const std::string& account, const std::string& address) {
    return at.admit(account, address).has_value();
  }
  FakeClock clock_{from_micros(1'000'000'000)};
  testing::MemoryDebts debts_{clock_};
  LoginThrottle one_{clock_, &debts_};
  LoginThrottle two_{clock_, &debts_};
};

TEST_F(Replicas, CountFailuresTogether) {
  fail(one_, 2, "alice", "10.0.0.1");
  fail(two_, 2, "alice", "10.0.0.1");
  EXPECT_TRUE(admitted(one_, "alice", "10.0.0.1"));
  fail(one_, 1, "alice", "10.0.0.1");
  const auto refused = two_.admit("alice", "10.0.0.1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRateLimited);
  EXPECT_EQ(refused.error().detail, "2");
  EXPECT_FALSE(admitted(one_, "alice", "10.0.0.1"));
  clock_.advance(std::chrono::milliseconds(2'100));
  EXPECT_TRUE(admitted(one_, "alice", "10.0.0.1"));
  EXPECT_TRUE(admitted(two_, "alice", "10.0.0.1"));
}

TEST_F(Replicas, HoldGuessersFromManyAddressesBackTogether) {
  for (int i = 0; i < 20; ++i) {
    fail(i % 2 == 0 ? one_ : two_, 1, "alice", "10.0.1." + std::to_string(i));
  }
  EXPECT_FALSE(admitted(one_, "alice", "10.0.2.1"));
  EXPECT_FALSE(admitted(two_, "alice", "10.0.2.1"));
  EXPECT_TRUE(admitted(two_, "bob", "10.0.2.1"));
}

TEST_F(Replicas, WhoSignedInAtOneIsKnownAtTheOther) {
  one_.succeeded("alice", "10.0.0.1");
  for (int i = 0; i < 20; ++i) {
    fail(one_, 1, "alice", "10.0.1." + std::to_string(i));
  }
  EXPECT_TRUE(admitted(one_, "alice", "10.0.0.1"));
  EXPECT_TRUE(admitted(two_, "alice", "10.0.0.1"));
  EXPECT_FALSE(admitted(two_, "alice", "10.0.0.2"));
}

TEST_F(Replicas, SuccessGivesBackWhatTypingErrorsCost) {
  fail(one_, 4, "alice", "10.0.0.1");
  two_.succeeded("alice", "10.0.0.1");
  fail(two_, 4, "alice", "10.0.0.1");
  EXPECT_TRUE(admitted(two_, "alice", "10.0.0.1"));
}

TEST_F(Replicas, CountByThemselvesWhenNothingIsShared) {
  fail(one_, 5, "alice", "10.0.0.1");
  debts_.go_away();
  EXPECT_FALSE(admitted(one_, "alice", "10.0.0.1"));
  EXPECT_TRUE(admitted(two_, "alice", "10.0.0.1"));
  fail(two_, 5, "alice", "10.0.0.1");
  EXPECT_FALSE(admitted(two_, "alice", "10.0.0.1"));
  debts_.come_back();  // And knows nothing any more.
  EXPECT_FALSE(admitted(one_, "alice", "10.0.0.1"));
  EXPECT_FALSE(admitted(two_, "alice", "10.0.0.1"));
}

/// What replicas know of each other may only add refusals.
TEST_F(Replicas, AreNeverLessStrictThanOneAlone) {
  LoginThrottle alone(clock_);
  two_.succeeded("alice", "10.0.0.1");  // Known there, and not here.
  for (int i = 0; i < 25; ++i) {
    const std::string address = "10.0.1." + std::to_string(i);
    fail(one_, 1, "alice", address);
    fail(alone, 1, "alice", address);
    for (const std::string& from : {address, std::string("10.0.0.1"), std::string("10.0.9.9")}) {
      if (!admitted(alone, "alice", from)) {
        EXPECT_FALSE(admitted(one_, "alice", from)) << i << " " << from;
      }
    }
  }
  EXPECT_FALSE(admitted(alone, "alice", "10.0.0.1"));
}

}  // namespace
}  // namespace roadstead::auth
