#include "auth/login_throttle.h"

#include <string>

#include <gtest/gtest.h>

namespace roadstead::auth {
namespace {

class Throttle : public testing::Test {
 protected:
  void fail(int times, const std::string& account, const std::string& address) {
    for (int i = 0; i < times; ++i) {
      throttle_.failed(account, address);
    }
  }
  bool admitted(const std::string& account, const std::string& address) {
    return throttle_.admit(account, address).has_value();
  }
  FakeClock clock_{from_micros(1'000'000'000)};
  LoginThrottle throttle_{clock_};
};

TEST_F(Throttle, HoldsBackAfterAFewFailuresAndLetsGoAgain) {
  fail(4, "alice", "10.0.0.1");
  EXPECT_TRUE(admitted("alice", "10.0.0.1"));
  fail(1, "alice", "10.0.0.1");
  const auto refused = throttle_.admit("alice", "10.0.0.1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRateLimited);
  EXPECT_EQ(refused.error().detail, "2");
  clock_.advance(std::chrono::milliseconds(1'900));
  EXPECT_FALSE(admitted("alice", "10.0.0.1"));
  clock_.advance(std::chrono::milliseconds(200));
  EXPECT_TRUE(admitted("alice", "10.0.0.1"));
}

TEST_F(Throttle, IgnoresTheCaseOfTheName) {
  fail(5, "Alice", "10.0.0.1");
  EXPECT_FALSE(admitted("aLICE", "10.0.0.1"));
}

TEST_F(Throttle, CorrectLoginsCostNothing) {
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(admitted("ci", "10.0.0.1"));
    throttle_.succeeded("ci", "10.0.0.1");
  }
}

TEST_F(Throttle, GuessersFromManyAddressesAreHeldBackByTheAccount) {
  for (int i = 0; i < 20; ++i) {
    fail(1, "alice", "10.0.1." + std::to_string(i));
  }
  EXPECT_FALSE(admitted("alice", "10.0.2.1"));
}

TEST_F(Throttle, GuessersDoNotLockOutWhoLoggedInBefore) {
  throttle_.succeeded("alice", "10.0.0.9");
  for (int i = 0; i < 40; ++i) {
    fail(1, "alice", "10.0.1." + std::to_string(i));
  }
  EXPECT_FALSE(admitted("alice", "10.0.2.1"));
  EXPECT_TRUE(admitted("alice", "10.0.0.9"));
}

TEST_F(Throttle, OneAddressTryingManyAccountsIsHeldBack) {
  for (int i = 0; i < 50; ++i) {
    fail(1, "user" + std::to_string(i), "10.0.0.1");
  }
  EXPECT_FALSE(admitted("somebody", "10.0.0.1"));
  EXPECT_TRUE(admitted("somebody", "10.0.0.2"));
}

TEST_F(Throttle, AWholeIpv6NetworkIsOneAddress) {
  fail(5, "alice", "2001:db8:1:2::1");
  EXPECT_FALSE(admitted("alice", "2001:db8:1:2:aaaa::77"));
  EXPECT_TRUE(admitted("alice", "2001:db8:1:3::1"));
}

TEST_F(Throttle, ASuccessForgivesTypingErrorsOfTheSamePair) {
  fail(4, "alice", "10.0.0.1");
  throttle_.succeeded("alice", "10.0.0.1");
  fail(4, "alice", "10.0.0.1");
  EXPECT_TRUE(admitted("alice", "10.0.0.1"));
}

TEST_F(Throttle, ManyAttemptsAtOnceOnlyOverdrawSoFar) {
  fail(500, "alice", "10.0.0.1");
  clock_.advance(std::chrono::seconds(3 * 21));
  EXPECT_TRUE(admitted("alice", "10.0.0.1"));
}

TEST_F(Throttle, AClockThatIsSetBackHoldsNobodyUpForLonger) {
  fail(5, "alice", "10.0.0.1");
  clock_.advance(std::chrono::hours(-5));
  EXPECT_EQ(throttle_.admit("alice", "10.0.0.1").error().detail, "2");
  clock_.advance(std::chrono::seconds(2));
  EXPECT_TRUE(admitted("alice", "10.0.0.1"));
}

TEST(LoginThrottle, ForgetsTheOldestWhenItIsFull) {
  const FakeClock clock(from_micros(0));
  LoginThrottle::Options options;
  options.entries_max = 10;
  options.address.burst = 1'000;
  LoginThrottle throttle(clock, options);
  for (int i = 0; i < 5; ++i) {
    throttle.failed("alice", "10.0.0.1");
  }
  EXPECT_FALSE(throttle.admit("alice", "10.0.0.1"));
  for (int i = 0; i < 10; ++i) {
    throttle.failed("user" + std::to_string(i), "10.0.0.2");
  }
  EXPECT_TRUE(throttle.admit("alice", "10.0.0.1"));
}

}  // namespace
}  // namespace roadstead::auth
