#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/log.h"
#include "db/copy.h"
#include "db/database.h"
#include "db/internal/server_connection.h"
#include "db/internal/server_pool.h"

namespace roadstead::db::internal {

/// The port over connections of any server. Thread-safe.
///
/// A write function runs again when the engine says that its transaction met another one's, and
/// when the connection was lost before COMMIT was sent. After that it is unknown whether the
/// transaction happened, so its caller is told kUnavailable and the client asks again.
class ServerDatabase final : public Database {
 public:
  /// `clock`: instead of the server's, or null.
  ServerDatabase(ServerPool::Connect connect, ServerPool::Options options, Engine engine,
                 const Clock* clock, const log::Logger& logger)
      : engine_(engine),
        clock_(clock),
        logger_(logger),
        pool_(std::move(connect), options, logger) {}

  [[nodiscard]] bool reads_are_local() const override { return false; }
  Result<void> ping() override;
  [[nodiscard]] Statistics statistics() const override;
  Result<void> copy_to(const std::filesystem::path& path) override;

 protected:
  Result<void> run_read(const std::function<Result<void>(ReadSession&)>& fn,
                        Snapshot snapshot) override;
  Result<void> run_write(const std::function<Result<void>(WriteSession&)>& fn,
                         Durability durability) override;

 private:
  class Taken;
  /// What came of one attempt.
  struct Attempt {
    Result<void> outcome;
    Failure failure = Failure::kNone;
    bool committing = false;  ///< COMMIT was sent.
  };
  Attempt try_read(const std::function<Result<void>(ReadSession&)>& fn, Snapshot snapshot);
  Attempt try_write(const std::function<Result<void>(WriteSession&)>& fn, Durability durability);

  const Engine engine_;
  const Clock* const clock_;
  const log::Logger logger_;
  ServerPool pool_;
  std::atomic<std::uint64_t> commits_ = 0;
  std::atomic<std::uint64_t> write_functions_ = 0;
  std::atomic<std::uint64_t> read_sessions_ = 0;
  std::atomic<std::uint64_t> statements_ = 0;
  std::atomic<std::uint64_t> round_trips_ = 0;
  std::atomic<std::uint64_t> retries_ = 0;
};

}  // namespace roadstead::db::internal
