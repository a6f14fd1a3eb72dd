#include "db/internal/sqlite_writer.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

#include "db/internal/sqlite_session.h"

namespace roadstead::db::internal {
namespace {

// Each attempt but the first follows a rollback by the engine and drops the function that was
// running then. A disk that is still full after this many refuses the rest too.
constexpr int kAttemptsMax = 3;

Error unavailable(std::string message) {
  return {Code::kUnavailable, Subject::kDatabase, std::move(message), {}};
}

}  // namespace

/// A caller in run(). Lives on the caller's stack until `done` was seen under the lock.
struct SqliteWriter::Job {
  const Function* function = nullptr;
  Durability durability = Durability::kPowerLoss;
  SteadyTime queued_at;
  Result<void> result;
  std::vector<std::function<void()>> hints;
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  bool leads = false;  ///< The thread that waits for it is to lead.
};

SqliteWriter::SqliteWriter(std::unique_ptr<SqliteConnection> connection, const Clock& clock,
                           log::Logger logger, Options options)
    : connection_(std::move(connection)),
      clock_(clock),
      logger_(logger),
      options_(std::move(options)) {}

SqliteWriter::~SqliteWriter() {
  stop();
}

void SqliteWriter::stop() {
  queue_.with([](Queue& queue) { queue.stopping = true; });
  queue_.wait(idle_, [](const Queue& queue) { return !queue.led; }, [](const Queue&) {});
}

Result<bool> SqliteWriter::enqueue(Job& job) {
  return queue_.with([&](Queue& queue) -> Result<bool> {
    if (queue.stopping) {
      return unavailable("database: shutting down");
    }
    if (queue.jobs.size() >= options_.queue_max) {
      return unavailable("database: too many writes are waiting");
    }
    queue.jobs.push_back(&job);
    return !std::exchange(queue.led, true);
  });
}

Result<void> SqliteWriter::run(const Function& function, Durability durability) {
  CHECK(!is_current_thread());
  Job job;
  job.function = &function;
  job.durability = durability;
  job.queued_at = options_.steady_now();
  bool leads = TRY(enqueue(job));
  if (!leads) {
    std::unique_lock lock(job.mutex);
    job.changed.wait(lock, [&] { return job.done || job.leads; });
    leads = job.leads;
  }
  if (leads) {
    lead();
    CHECK(job.done);  // It was the first in the queue.
  }
  return std::move(job.result);
}

std::size_t SqliteWriter::queued() const {
  return queue_.with([](const Queue& queue) { return queue.jobs.size(); });
}

void SqliteWriter::lead() {
  leader_ = std::this_thread::get_id();
  Jobs jobs;
  queue_.with([&](Queue& queue) { move_queued(queue, jobs); });
  fail_expired(jobs, 0);
  run_batch(std::move(jobs), true);
  leader_ = std::thread::id();
  hand_on();
}

void SqliteWriter::hand_on() {
  queue_.with([&](Queue& queue) {
    if (queue.jobs.empty()) {
      queue.led = false;
      idle_.notify_all();  // Under the lock: once stop() has seen this, the writer may be gone.
      return;
    }
    Job& next = *queue.jobs.front();
    const std::lock_guard lock(next.mutex);
    next.leads = true;
    next.changed.notify_one();
  });
}

void SqliteWriter::take_more(Jobs& jobs) {
  const std::size_t first = jobs.size();
  queue_.with([&](Queue& queue) { move_queued(queue, jobs); });
  fail_expired(jobs, first);
}

void SqliteWriter::move_queued(Queue& queue, Jobs& jobs) const {
  const auto durable = [](const Job* job) { return job->durability == Durability::kPowerLoss; };
  // Whoever needs no sync may ride along with one, but not the other way round.
  const bool relaxed = !jobs.empty() && std::none_of(jobs.begin(), jobs.end(), durable);
  while (!queue.jobs.empty() && jobs.size() < options_.batch_max &&
         !(relaxed && durable(queue.jobs.front()))) {
    jobs.push_back(queue.jobs.front());
    queue.jobs.pop_front();
  }
}

void SqliteWriter::fail_expired(Jobs& jobs, std::size_t first) {
  const SteadyTime now = options_.steady_now();
  Jobs late;
  std::size_t kept = first;
  for (std::size_t i = first; i < jobs.size(); ++i) {
    if (now - jobs[i]->queued_at > options_.wait_max) {
      late.push_back(jobs[i]);
    } else {
      jobs[kept++] = jobs[i];
    }
  }
  jobs.resize(kept);
  fail_all(late, unavailable("database: the write waited too long"));
}

void SqliteWriter::run_batch(Jobs jobs, bool may_grow) {
  for (int attempts = 1; !jobs.empty(); ++attempts) {
    const Outcome outcome = attempt(jobs, may_grow && attempts == 1);
    if (outcome == Outcome::kDone) {
      return;
    }
    if (outcome == Outcome::kUnmatched) {
      for (Job* job : jobs) {
        run_batch({job}, false);
      }
      return;
    }
    if (attempts == kAttemptsMax) {
      return fail_all(jobs, unavailable("database: the transaction was rolled back"));
    }
  }
}

SqliteWriter::Outcome SqliteWriter::attempt(Jobs& jobs, bool may_grow) {
  options_.before_transaction();
  roll_back();  // Only if an earlier rollback failed.
  Result<void> begun = choose_sync(jobs);
  if (begun) {
    begun = connection_->run("BEGIN IMMEDIATE");
  }
  if (!begun) {
    fail_all(jobs, begun.error());
    return Outcome::kDone;
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = *jobs[i];
    if (Result<void> kept = run_in_savepoint(job); !kept) {
      roll_back();
      logger_.error("write transaction lost", {{"error", describe(kept.error())}});
      job.result = std::move(kept);
      finish(job);
      jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(i));
      return Outcome::kLost;
    }
    if (may_grow && i + 1 == jobs.size()) {
      take_more(jobs);
    }
  }
  return commit(jobs);
}

Result<void> SqliteWriter::run_in_savepoint(Job& job) {
  TRY(connection_->run("SAVEPOINT function"));
  SqliteSession session(*connection_, clock_);
  job.result = call(*job.function, session);
  if (session.lost()) {
    return *session.lost();
  }
  CHECK(connection_->in_transaction());  // Otherwise the function itself has said COMMIT.
  if (!job.result) {
    TRY(connection_->run("ROLLBACK TO function"));
    job.hints.clear();
  } else {
    job.hints = session.take_hints();
  }
  return connection_->run("RELEASE function");
}

Result<void> SqliteWriter::call(const Function& function, WriteSession& session) {
  // A throwing function must fail alone and not end the process for everybody in the batch.
  try {
    return function(session);
  } catch (const std::exception& exception) {
    return Error{Code::kInternal,
                 Subject::kDatabase,
                 std::string("database: exception in a write function: ") + exception.what(),
                 {}};
  }
}

Result<void> SqliteWriter::choose_sync(const Jobs& jobs) {
  const bool sync = std::any_of(jobs.begin(), jobs.end(), [](const Job* job) {
    return job->durability == Durability::kPowerLoss;
  });
  if (sync != syncing_) {
    TRY(connection_->run(sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
    syncing_ = sync;
  }
  return {};
}

SqliteWriter::Outcome SqliteWriter::commit(Jobs& jobs) {
  const Result<void> committed = connection_->run("COMMIT");
  statements_ += connection_->take_statement_count();
  if (committed) {
    ++commits_;
    deliver(jobs);
    return Outcome::kDone;
  }
  roll_back();
  // Without space or I/O nobody can commit. Anything else (a deferred constraint) is the fault of
  // one function, and only alone is it found.
  if (committed.error().code == Code::kUnavailable) {
    logger_.error("commit failed", {{"error", describe(committed.error())}});
  } else if (jobs.size() > 1) {
    return Outcome::kUnmatched;
  }
  fail_all(jobs, committed.error());
  return Outcome::kDone;
}

void SqliteWriter::roll_back() {
  if (!connection_->in_transaction()) {
    return;
  }
  if (const Result<void> result = connection_->run("ROLLBACK"); !result) {
    logger_.error("rollback failed", {{"error", describe(result.error())}});
  }
}

void SqliteWriter::deliver(Jobs& jobs) {
  for (Job* job : jobs) {
    for (const auto& hint : job->hints) {
      hint();
    }
  }
  for (Job* job : jobs) {
    finish(*job);
  }
}

void SqliteWriter::fail_all(Jobs& jobs, const Error& error) {
  for (Job* job : jobs) {
    job->result = error;
    finish(*job);
  }
  jobs.clear();
}

void SqliteWriter::finish(Job& job) {
  ++functions_;
  // Under the lock: as soon as it is released the caller may return and the job be gone.
  const std::lock_guard lock(job.mutex);
  job.done = true;
  job.changed.notify_one();
}

}  // namespace roadstead::db::internal
