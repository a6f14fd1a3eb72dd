#include "db/internal/server_pool.h"

#include <utility>

namespace roadstead::db::internal {
namespace {

/// How long others wait for the one who finds out whether the server answers: long enough for a
/// connection to a healthy one, so that the loss of a single connection refuses nobody.
constexpr std::chrono::milliseconds kProbeWait{500};

}  // namespace

Error ServerPool::refuse(std::string_view why) {
  ++counts_.refusals;
  return Error{Code::kUnavailable, Subject::kDatabase, "database: " + std::string(why), {}};
}

void ServerPool::lost() {
  ++counts_.losses;
  // All of them were likely lost together: a restart of the server, a failover, a cut cable.
  idle_.clear();
  in_doubt_ = true;
}

std::unique_ptr<ServerConnection> ServerPool::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (!connection->is_lost()) {
      return connection;
    }
    lost();
  }
  return nullptr;
}

Result<std::unique_ptr<ServerConnection>> ServerPool::open(Lock& lock, bool probing) {
  ++busy_;
  probing_ = probing_ || probing;
  lock.unlock();
  auto connection = connect_();
  lock.lock();
  if (probing) {
    probing_ = false;
    if (connection && in_doubt_) {
      logger_.info("the database answers again");
    }
    in_doubt_ = !connection.has_value();
    freed_.notify_all();
  }
  if (!connection) {
    --busy_;
    if (!in_doubt_) {
      logger_.warning("the database cannot be reached", {{"reason", connection.error().message}});
    }
    in_doubt_ = true;
    ++counts_.refusals;
    freed_.notify_one();
    return connection;
  }
  ++counts_.connects;
  return connection;
}

Result<std::unique_ptr<ServerConnection>> ServerPool::take() {
  Lock lock(mutex_);
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    if (auto connection = take_idle()) {
      ++busy_;
      return connection;
    }
    if (may_open() && !(in_doubt_ && probing_)) {
      return open(lock, in_doubt_);
    }
    // Both ends are noticed by the one who caused them.
    const bool doubtful = in_doubt_;
    const auto deadline = start + (doubtful ? kProbeWait : options_.acquire_time);
    if (freed_.wait_until(lock, deadline) == std::cv_status::timeout) {
      return refuse(doubtful ? "the server does not answer" : "all connections are busy");
    }
  }
}

void ServerPool::give_back(std::unique_ptr<ServerConnection> connection) {
  const bool usable = !connection->is_lost();
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    if (usable) {
      idle_.push_back(std::move(connection));
      in_doubt_ = false;
    } else {
      if (!in_doubt_) {
        logger_.warning("a connection to the database was lost");
      }
      lost();
    }
  }
  freed_.notify_one();
  // A lost connection is closed here, without the lock.
}

ServerPool::Counts ServerPool::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.busy = busy_;
  counts.idle = idle_.size();
  return counts;
}

}  // namespace roadstead::db::internal
