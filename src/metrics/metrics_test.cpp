#include "metrics/metrics.h"

#include <cmath>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roadstead::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, CountersAndGaugesAreExposed) {
  Registry registry;
  registry.counter("pulls_total", "Pulls.", {{"kind", "manifest"}}).add();
  registry.counter("pulls_total", "Pulls.", {{"kind", "manifest"}}).add(2);
  registry.counter("pulls_total", "Pulls.", {{"kind", "blob"}}).add();
  Gauge& gauge = registry.gauge("uploads", "Open uploads.");
  gauge.set(5);
  gauge.add(-2);
  EXPECT_EQ(registry.expose(),
            "# HELP pulls_total Pulls.\n"
            "# TYPE pulls_total counter\n"
            "pulls_total{kind=\"blob\"} 1\n"
            "pulls_total{kind=\"manifest\"} 3\n"
            "# HELP uploads Open uploads.\n"
            "# TYPE uploads gauge\n"
            "uploads 3\n");
}

TEST(Metrics, HistogramCountsEachValueInItsBucket) {
  Registry registry;
  Histogram& histogram = registry.histogram("seconds", "Time.", {0.5, 1});
  for (const double value : {0.25, 0.5, 0.75, 1.0, 4.0}) {
    histogram.observe(value);
  }
  histogram.observe(std::nan(""));
  EXPECT_EQ(registry.expose(),
            "# HELP seconds Time.\n"
            "# TYPE seconds histogram\n"
            "seconds_count 5\n"
            "seconds_sum 6.5\n"
            "seconds_bucket{le=\"0.5\"} 2\n"
            "seconds_bucket{le=\"1\"} 4\n"
            "seconds_bucket{le=\"+Inf\"} 5\n");
}

TEST(Metrics, SameNameAndLabelsGiveTheSameHandle) {
  Registry registry;
  Counter& counter = registry.counter("a", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(&counter, &registry.counter("a", "A.", {{"y", "2"}, {"x", "1"}}));
  EXPECT_NE(&counter, &registry.counter("a", "A.", {{"x", "1"}}));
  for (int i = 0; i < 100; ++i) {
    registry.counter("other" + std::to_string(i), "B.");
  }
  EXPECT_EQ(&counter, &registry.counter("a", "A.", {{"x", "1"}, {"y", "2"}}));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Registry registry;
  registry.counter("a", "A.", {{"x", "1\"\n\\"}}).add();
  EXPECT_THAT(registry.expose(), HasSubstr("a{x=\"1\\\"\\n\\\\\"} 1\n"));
}

TEST(Metrics, RefreshersRunBeforeEachExposition) {
  Registry registry;
  double value = 0;
  registry.before_scrape([&] { registry.gauge("read", "Read.").set(++value); });
  EXPECT_THAT(registry.expose(), HasSubstr("read 1\n"));
  EXPECT_THAT(registry.expose(), HasSubstr("read 2\n"));
}

TEST(Metrics, NothingIsLostBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kTimes = 20'000;
  Registry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Counter& counter = registry.counter("c", "C.");
      Histogram& histogram = registry.histogram("h", "H.", {1, 2});
      for (int i = 0; i < kTimes; ++i) {
        counter.add();
        histogram.observe(i % 3);
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    static_cast<void>(registry.expose());  // Reads while the others write.
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string text = registry.expose();
  EXPECT_THAT(text, HasSubstr("c 80000\n"));
  EXPECT_THAT(text, HasSubstr("h_count 80000\n"));
}

TEST(MetricsDeathTest, MisuseIsADefect) {
  Registry registry;
  registry.counter("a", "A.");
  EXPECT_DEATH(registry.gauge("a", "A."), "invariant broken");
  EXPECT_DEATH(registry.counter("not a name", "A."), "invariant broken");
  EXPECT_DEATH(registry.counter("b", "B.", {{"not a label", "x"}}), "invariant broken");
  EXPECT_DEATH(registry.counter("a", "A.").add(-1), "invariant broken");
  EXPECT_DEATH(registry.histogram("h", "H.", {2, 1}), "invariant broken");
}

}  // namespace
}  // namespace roadstead::metrics
