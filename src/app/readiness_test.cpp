#include "app/readiness.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

namespace roadstead::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Result<void> away() {
  return Error{Code::kUnavailable, Subject::kDatabase, "postgresql://secret@10.0.0.1", {}};
}

/// Between two looks at what another thread does.
void pause() {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, milliseconds{10});
}

/// Waits for what another thread brings about.
bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1'000; ++i) {
    if (condition()) {
      return true;
    }
    pause();
  }
  return false;
}

std::string ask(const Readiness& readiness, int expected) {
  static const SystemClock clock;
  static log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  ReadyEndpoint endpoint(readiness);
  const http::Request request;
  http::Context context{"", {}, log::Logger(sink), {}, {}};
  auto response = endpoint.try_now(request, context);
  EXPECT_EQ(response->status(), expected);
  return std::get<std::string>(response->body());
}

TEST(ReadinessTest, FollowsWhatItDependsOn) {
  std::atomic<bool> there{true};
  const auto probe = [&]() -> Result<void> { return there ? Result<void>() : away(); };
  Readiness readiness(
      "r1", {{"database", probe, seconds{0}}, {"storage", [] { return Result<void>(); }}});
  EXPECT_TRUE(readiness.ready());
  EXPECT_NE(ask(readiness, 200).find(R"("replica":"r1")"), std::string::npos);
  there = false;
  ASSERT_TRUE(eventually([&] { return !readiness.ready(); }));
  const std::string body = ask(readiness, 503);
  EXPECT_NE(body.find("the database does not answer"), std::string::npos);
  EXPECT_EQ(body.find("secret"), std::string::npos);
  there = true;
  EXPECT_TRUE(eventually([&] { return readiness.ready(); }));
}

TEST(ReadinessTest, ADrainingServerIsNotReady) {
  Readiness readiness("r1", {});
  EXPECT_TRUE(readiness.ready());
  readiness.drain();
  EXPECT_NE(ask(readiness, 503).find("the server is stopping"), std::string::npos);
}

TEST(ReadinessTest, AQuestionWithoutAnAnswerIsAnAnswer) {
  std::atomic<bool> hang{false};
  std::atomic<bool> done{false};
  const auto probe = [&]() -> Result<void> {
    while (hang && !done) {
      pause();
    }
    return {};
  };
  Readiness readiness("r1", {{"storage", probe, seconds{0}}});
  EXPECT_TRUE(readiness.ready());
  hang = true;
  EXPECT_TRUE(eventually([&] { return !readiness.ready(); }));
  done = true;
  EXPECT_TRUE(eventually([&] { return readiness.ready(); }));
}

}  // namespace
}  // namespace roadstead::app
