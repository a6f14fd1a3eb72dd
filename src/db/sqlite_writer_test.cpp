#include "db/internal/sqlite_writer.h"

#include <deque>
#include <latch>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "db/internal/sqlite_connection.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db::internal {
namespace {

using namespace std::chrono_literals;

/// A writer on an empty database whose first function waits until the test lets it go.
class SqliteWriterTest : public ::testing::Test {
 protected:
  void start(SqliteWriter::Options options) {
    options.steady_now = [this] { return SqliteWriter::SteadyTime(steady_.load()); };
    auto connection = SqliteConnection::open(
        {.path = directory_.path() / "test.db", .access = SqliteConnection::Access::kWrite});
    ASSERT_TRUE(connection);
    ASSERT_TRUE(connection.value()->run("CREATE TABLE t (n INTEGER) STRICT"));
    writer_.emplace(std::move(connection).value(), clock_, log::Logger(sink_), std::move(options));
    submit([this](WriteSession&) -> Result<void> {
      entered_.count_down();
      release_.wait();
      return {};
    });
    entered_.wait();
  }

  /// Calls run() on a thread of its own and returns when the function is queued.
  void submit(SqliteWriter::Function function) {
    const std::size_t before = writer_->queued();
    const bool first = threads_.empty();
    Result<void>& result = results_.emplace_back();
    threads_.emplace_back(
        [this, function = std::move(function), &result] { result = writer_->run(function); });
    while (!first && writer_->queued() == before) {
      std::this_thread::yield();
    }
  }
  void submit_insert() {
    submit([](WriteSession& session) -> Result<void> {
      TRY(session.execute("INSERT INTO t (n) VALUES (1)", {}));
      return {};
    });
  }

  void release_and_join() {
    release_.count_down();
    join();
  }
  void join() {
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
  }

  sys::testing::ScratchDirectory directory_;
  SystemClock clock_;
  log::Sink sink_{2, log::Format::kText, log::Level::kError, clock_};
  std::atomic<std::chrono::steady_clock::duration> steady_{1h};
  std::latch entered_{1};
  std::latch release_{1};
  std::deque<Result<void>> results_;
  std::vector<std::thread> threads_;
  std::optional<SqliteWriter> writer_;
};

TEST_F(SqliteWriterTest, FullQueueRefusesAtOnce) {
  start({.queue_max = 2});
  submit_insert();
  submit_insert();
  const Result<void> refused = writer_->run([](WriteSession&) -> Result<void> { return {}; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().subject, Subject::kDatabase);
  release_and_join();
  for (const Result<void>& result : results_) {
    EXPECT_TRUE(result);
  }
  EXPECT_TRUE(writer_->run([](WriteSession&) -> Result<void> { return {}; }));
}

TEST_F(SqliteWriterTest, FunctionThatWaitedTooLongIsNotRun) {
  start({.wait_max = 10s});
  bool ran = false;
  submit([&](WriteSession&) -> Result<void> {
    ran = true;
    return {};
  });
  steady_ = 1h + 11s;
  submit_insert();
  release_and_join();
  EXPECT_TRUE(results_[0]);
  ASSERT_FALSE(results_[1]);
  EXPECT_EQ(results_[1].error().code, Code::kUnavailable);
  EXPECT_FALSE(ran);
  EXPECT_TRUE(results_[2]);
}

TEST_F(SqliteWriterTest, StopRunsWhatIsQueuedAndRefusesTheRest) {
  start({.queue_max = 2});
  submit_insert();
  submit_insert();
  std::thread stopper([this] { writer_->stop(); });
  // The queue is full, so this never waits; the message tells when stop() has begun.
  const auto refusal = [this] {
    return writer_->run([](WriteSession&) -> Result<void> { return {}; }).error();
  };
  while (refusal().message.find("shutting down") == std::string::npos) {
    std::this_thread::yield();
  }
  release_and_join();
  stopper.join();
  for (const Result<void>& result : results_) {
    EXPECT_TRUE(result);
  }
  EXPECT_EQ(writer_->queued(), 0U);
  EXPECT_EQ(refusal().code, Code::kUnavailable);
}

}  // namespace
}  // namespace roadstead::db::internal
