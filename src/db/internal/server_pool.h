#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "db/internal/server_connection.h"

namespace roadstead::db::internal {

/// The connections to one server: at most so many, the one used last first. Thread-safe.
///
/// A server that is away must not hold every request for as long as a connection attempt takes. So
/// after a loss the pool is in doubt: one caller finds out whether the server answers, and others
/// do not wait for that longer than it takes when it does.
class ServerPool {
 public:
  using Connect = std::function<Result<std::unique_ptr<ServerConnection>>()>;
  struct Options {
    std::size_t size = 32;
    std::chrono::milliseconds acquire_time{5'000};
  };
  struct Counts {
    std::uint64_t connects = 0;
    std::uint64_t losses = 0;
    std::uint64_t refusals = 0;
    std::uint64_t busy = 0;
    std::uint64_t idle = 0;
  };

  ServerPool(Connect connect, Options options, log::Logger logger)
      : connect_(std::move(connect)), options_(options), logger_(std::move(logger)) {}

  /// A connection for one session; give_back() it. Errors: kUnavailable + kDatabase.
  Result<std::unique_ptr<ServerConnection>> take();
  void give_back(std::unique_ptr<ServerConnection> connection);
  [[nodiscard]] Counts counts() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  [[nodiscard]] bool may_open() const { return busy_ + idle_.size() < options_.size; }
  Result<std::unique_ptr<ServerConnection>> open(Lock& lock, bool probing);
  std::unique_ptr<ServerConnection> take_idle();
  Error refuse(std::string_view why);
  void lost();

  const Connect connect_;
  const Options options_;
  const log::Logger logger_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<ServerConnection>> idle_;
  std::size_t busy_ = 0;  ///< Taken or being opened.
  bool in_doubt_ = false;
  bool probing_ = false;
  Counts counts_;
};

}  // namespace roadstead::db::internal
