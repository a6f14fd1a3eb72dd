#include "db/internal/server_database.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <utility>

#include "db/internal/server_copy.h"
#include "db/internal/server_session.h"

namespace roadstead::db::internal {
namespace {

/// Transactions of a busy repository meet again and again; each round at least one of them gets
/// through.
constexpr int kConflictsMax = 20;
/// Who met others for so long is told that the database is busy.
constexpr std::chrono::seconds kConflictTime{15};
/// A race for a unique name is over after one more look; a violation that stays is the answer.
constexpr int kViolationsMax = 3;
/// One that was lost while idle, and one more.
constexpr int kLossesMax = 2;
constexpr std::chrono::microseconds kBackOffMax{50'000};

/// Grows with the round and differs between those who met.
void back_off(int round) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto limit = std::min<std::int64_t>(500LL << std::min(round, 10), kBackOffMax.count());
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::chrono::microseconds(
                           std::uniform_int_distribution<std::int64_t>(0, limit)(random)));
}

/// Counts what went wrong, and says whether there is another attempt.
class Attempts {
 public:
  bool again(Failure failure) {
    switch (failure) {
      case Failure::kConflict:
        if (++conflicts_ > kConflictsMax || Clock::now() - start_ > kConflictTime) {
          return false;
        }
        back_off(conflicts_);
        return true;
      case Failure::kViolation:
        return ++violations_ <= kViolationsMax;
      case Failure::kLost:
        return ++losses_ <= kLossesMax;
      case Failure::kNone:
      case Failure::kOther:
        return false;
    }
    return false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start_ = Clock::now();
  int conflicts_ = 0;
  int violations_ = 0;
  int losses_ = 0;
};

}  // namespace

/// A connection out of the pool for the time of one attempt.
class ServerDatabase::Taken {
 public:
  Taken(ServerDatabase& owner, std::unique_ptr<ServerConnection> connection)
      : owner_(owner), connection_(std::move(connection)) {}
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() {
    const auto traffic = connection_->take_traffic();
    owner_.statements_.fetch_add(traffic.statements, std::memory_order_relaxed);
    owner_.round_trips_.fetch_add(traffic.round_trips, std::memory_order_relaxed);
    owner_.pool_.give_back(std::move(connection_));
  }
  ServerConnection* operator->() const { return connection_.get(); }
  ServerConnection& operator*() const { return *connection_; }

 private:
  ServerDatabase& owner_;
  std::unique_ptr<ServerConnection> connection_;
};

ServerDatabase::Attempt ServerDatabase::try_read(
    const std::function<Result<void>(ReadSession&)>& fn, Snapshot snapshot) {
  auto connection = pool_.take();
  if (!connection) {
    return {connection.error()};
  }
  read_sessions_.fetch_add(1, std::memory_order_relaxed);
  const Taken taken(*this, std::move(*connection));
  const bool transaction = snapshot == Snapshot::kTransaction;
  if (transaction) {
    if (const auto begun = taken->begin_read(); !begun) {
      return {begun.error(), taken->failure()};
    }
  }
  ServerSession session(*taken, clock_, transaction ? SIZE_MAX : 1);
  Attempt attempt{fn(session)};
  if (session.failed()) {
    // A function that reads may have kept what it was told, so it runs again only when that is
    // nothing.
    attempt.failure = session.has_answered() ? Failure::kOther : taken->failure();
    attempt.outcome = *session.failed();
  }
  if (transaction && !taken->is_lost()) {
    taken->rollback();  // Nothing was changed; this end takes no write-ahead log anywhere.
  }
  return attempt;
}

Result<void> ServerDatabase::run_read(const std::function<Result<void>(ReadSession&)>& fn,
                                      Snapshot snapshot) {
  Attempts attempts;
  for (;;) {
    Attempt attempt = try_read(fn, snapshot);
    if (attempt.outcome || !attempts.again(attempt.failure)) {
      return std::move(attempt.outcome);
    }
    retries_.fetch_add(1, std::memory_order_relaxed);
  }
}

ServerDatabase::Attempt ServerDatabase::try_write(
    const std::function<Result<void>(WriteSession&)>& fn, Durability durability) {
  auto connection = pool_.take();
  if (!connection) {
    return {connection.error()};
  }
  const Taken taken(*this, std::move(*connection));
  if (const auto begun = taken->begin_write(durability == Durability::kPowerLoss); !begun) {
    return {begun.error(), taken->failure()};
  }
  ServerSession session(*taken, clock_);
  Attempt attempt{fn(session)};
  if (session.failed()) {
    attempt.failure = taken->failure();
    attempt.outcome = *session.failed();
  }
  if (!attempt.outcome) {
    if (attempt.failure != Failure::kLost) {
      taken->rollback();
    }
    return attempt;
  }
  if (const auto committed = taken->commit(); !committed) {
    attempt = {committed.error(), taken->failure(), true};
    if (attempt.failure != Failure::kLost) {
      taken->rollback();
    }
    return attempt;
  }
  commits_.fetch_add(1, std::memory_order_relaxed);
  write_functions_.fetch_add(1, std::memory_order_relaxed);
  for (const auto& hint : session.take_hints()) {
    hint();
  }
  return attempt;
}

Result<void> ServerDatabase::run_write(const std::function<Result<void>(WriteSession&)>& fn,
                                       Durability durability) {
  Attempts attempts;
  for (;;) {
    Attempt attempt = try_write(fn, durability);
    const bool unknown = attempt.committing && attempt.failure == Failure::kLost;
    if (attempt.outcome || unknown || !attempts.again(attempt.failure)) {
      return std::move(attempt.outcome);
    }
    retries_.fetch_add(1, std::memory_order_relaxed);
  }
}

Result<void> ServerDatabase::ping() {
  const Taken taken(*this, TRY(pool_.take()));
  return taken->ping();
}

Statistics ServerDatabase::statistics() const {
  const ServerPool::Counts counts = pool_.counts();
  Statistics statistics;
  statistics.commits = commits_;
  statistics.write_functions = write_functions_;
  statistics.read_sessions = read_sessions_;
  statistics.statements = statements_;
  statistics.round_trips = round_trips_;
  statistics.retries = retries_;
  statistics.connects = counts.connects;
  statistics.connection_losses = counts.losses;
  statistics.refusals = counts.refusals;
  statistics.connections_busy = counts.busy;
  statistics.connections_idle = counts.idle;
  return statistics;
}

Result<void> ServerDatabase::copy_to(const std::filesystem::path& path) {
  return copy_to_file({*this, engine_}, path, logger_);
}

}  // namespace roadstead::db::internal
