#include "http/internal/timer_wheel.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

using std::chrono::milliseconds;

class TimerWheelTest : public ::testing::Test {
 protected:
  /// The nodes that expired when time moved to start + `at`.
  std::vector<TimerNode*> advance(milliseconds at) {
    std::vector<TimerNode*> expired;
    wheel.advance(start + at, [&](TimerNode& each) { expired.push_back(&each); });
    return expired;
  }

  TimerWheel::Time start{std::chrono::hours(1)};
  TimerWheel wheel{start};
  TimerNode node;
};

TEST_F(TimerWheelTest, ExpiresNotBeforeItsTimeAndSoonAfter) {
  wheel.schedule(node, start + milliseconds(100));
  EXPECT_TRUE(advance(milliseconds(99)).empty());
  EXPECT_EQ(advance(milliseconds(164)).size(), 1U);
  EXPECT_FALSE(node.is_linked());
  EXPECT_TRUE(advance(milliseconds(1000)).empty());
}

TEST_F(TimerWheelTest, MovesLaterAndEarlier) {
  wheel.schedule(node, start + milliseconds(100));
  wheel.schedule(node, start + milliseconds(500));
  EXPECT_TRUE(advance(milliseconds(400)).empty());
  wheel.schedule(node, start + milliseconds(450));
  EXPECT_EQ(advance(milliseconds(520)).size(), 1U);
}

TEST_F(TimerWheelTest, CancelledNodesStayQuiet) {
  wheel.schedule(node, start + milliseconds(100));
  wheel.cancel(node);
  wheel.cancel(node);
  EXPECT_TRUE(advance(milliseconds(1000)).empty());
}

TEST_F(TimerWheelTest, TimesLongerThanATurnWork) {
  wheel.schedule(node, start + std::chrono::minutes(10));
  for (int second = 1; second < 600; ++second) {
    ASSERT_TRUE(advance(std::chrono::seconds(second)).empty()) << second;
  }
  EXPECT_EQ(advance(milliseconds(600'100)).size(), 1U);
}

TEST_F(TimerWheelTest, ALongSleepLosesNothing) {
  std::vector<TimerNode> nodes(100);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    wheel.schedule(nodes[i], start + std::chrono::seconds(i));
  }
  EXPECT_EQ(advance(std::chrono::hours(24)).size(), nodes.size());
}

TEST_F(TimerWheelTest, SleepsUntilTheNextNode) {
  EXPECT_EQ(wheel.timeout_ms(start), -1);
  wheel.schedule(node, start + std::chrono::seconds(5));
  const int timeout = wheel.timeout_ms(start);
  EXPECT_GE(timeout, 5000);
  EXPECT_LE(timeout, 5064);
}

TEST_F(TimerWheelTest, RandomOperationsAgreeWithTheClock) {
  std::mt19937 random(7);
  std::vector<TimerNode> nodes(50);
  std::vector<milliseconds> due(nodes.size(), milliseconds(-1));
  milliseconds now{0};
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t i = random() % nodes.size();
    if (random() % 4 == 0) {
      wheel.cancel(nodes[i]);
      due[i] = milliseconds(-1);
    } else {
      due[i] = now + milliseconds(random() % 100'000);
      wheel.schedule(nodes[i], start + due[i]);
    }
    now += milliseconds(random() % 100);
    for (const TimerNode* expired : advance(now)) {
      const auto at = static_cast<std::size_t>(expired - nodes.data());
      ASSERT_GE(due[at].count(), 0);
      ASSERT_LE(due[at], now);
      due[at] = milliseconds(-1);
    }
    for (const milliseconds each : due) {
      ASSERT_TRUE(each.count() < 0 || each + milliseconds(64) > now);
    }
  }
}

}  // namespace
}  // namespace roadstead::http
