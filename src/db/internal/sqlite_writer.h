#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/log.h"
#include "base/result.h"
#include "db/database.h"
#include "db/internal/sqlite_connection.h"

namespace roadstead::db::internal {

/// The only way to change the database. One of the threads that wait leads: it takes all queued
/// functions, runs each in a savepoint of one shared transaction and commits them together (many
/// functions, one sync of the disk), then lets the next waiting thread lead. A function that is
/// alone thus runs on its own thread, without waking another one.
///
/// A batch whose first functions all asked for Durability::kProcessDeath is committed without a
/// sync and takes in no others; a later synced commit makes it durable as well.
///
/// No result, success or error, leaves before the COMMIT of its transaction has returned, because
/// an error too may rest on what an earlier function of the batch did.
class SqliteWriter {
 public:
  using Function = std::function<Result<void>(WriteSession&)>;
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Options {
    std::size_t queue_max = 4096;
    std::size_t batch_max = 256;
    std::chrono::milliseconds wait_max{10'000};
    /// Runs before each transaction, on the thread that leads.
    std::function<void()> before_transaction = [] {};
    /// Time for `wait_max`; a collaborator, so that tests need not wait.
    std::function<SteadyTime()> steady_now = [] { return std::chrono::steady_clock::now(); };
  };

  SqliteWriter(std::unique_ptr<SqliteConnection> connection, const Clock& clock, log::Logger logger,
               Options options);
  ~SqliteWriter();
  SqliteWriter(const SqliteWriter&) = delete;
  SqliteWriter& operator=(const SqliteWriter&) = delete;

  /// Queues `function` and waits until it was committed or failed. Errors besides those of the
  /// function: kUnavailable when the queue is full, the wait took too long, the writer stops or the
  /// disk refuses.
  Result<void> run(const Function& function, Durability durability = Durability::kPowerLoss);
  /// Refuses new functions and returns when the queued ones have run. Idempotent.
  void stop();
  /// Whether the caller leads, and so would wait for itself in run().
  [[nodiscard]] bool is_current_thread() const {
    return leader_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  [[nodiscard]] std::uint64_t functions() const { return functions_; }
  [[nodiscard]] std::uint64_t statements() const { return statements_; }

 private:
  struct Job;
  using Jobs = std::vector<Job*>;
  struct Queue {
    std::deque<Job*> jobs;
    bool led = false;  ///< Some thread leads, or is being told to.
    bool stopping = false;
  };
  enum class Outcome {
    kDone,  ///< Every function has its result.
    kLost,  ///< The engine rolled back; the function at fault has its error and left the batch.
    kUnmatched,  ///< COMMIT refused the content of the batch, so one of several is at fault.
  };

  /// Queues `job`; true when the caller has to lead.
  Result<bool> enqueue(Job& job);
  /// Runs one batch that begins with the caller's own job, then hands the lead on.
  void lead();
  void hand_on();
  /// Appends what is queued now, up to batch_max in total; functions that waited too long fail.
  void take_more(Jobs& jobs);
  void move_queued(Queue& queue, Jobs& jobs) const;
  void fail_expired(Jobs& jobs, std::size_t first);

  void run_batch(Jobs jobs, bool may_grow);
  Outcome attempt(Jobs& jobs, bool may_grow);
  Outcome commit(Jobs& jobs);
  /// Before the transaction, because the engine cannot change it inside one.
  Result<void> choose_sync(const Jobs& jobs);
  /// An error when the transaction is gone and with it the work of the functions before.
  Result<void> run_in_savepoint(Job& job);
  static Result<void> call(const Function& function, WriteSession& session);
  void roll_back();
  void deliver(Jobs& jobs);
  void fail_all(Jobs& jobs, const Error& error);
  void finish(Job& job);

  std::unique_ptr<SqliteConnection> connection_;
  const Clock& clock_;
  log::Logger logger_;
  const Options options_;
  Guarded<Queue> queue_;
  std::condition_variable idle_;  ///< Nobody leads any more.
  std::atomic<std::thread::id> leader_;
  bool syncing_ = true;  ///< What the connection does at COMMIT; of the thread that leads.
  std::atomic<std::uint64_t> commits_ = 0;
  std::atomic<std::uint64_t> functions_ = 0;
  std::atomic<std::uint64_t> statements_ = 0;
};

}  // namespace roadstead::db::internal
