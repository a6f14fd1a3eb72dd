#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "db/database.h"

namespace roadstead::db {

struct SqliteOptions {
  std::filesystem::path path;  ///< The file; its directory exists.
  std::string vfs{};           ///< Name of a registered SQLite VFS, for fault injection; or empty.
  std::size_t readers_max = 64;  ///< Idle read connections kept.
  std::size_t write_queue_max =
      4096;                     ///< Write functions waiting; more are refused with kUnavailable.
  std::size_t batch_max = 256;  ///< Write functions per shared transaction.
  std::chrono::milliseconds write_wait_max{
      10'000};  ///< In the queue; checked when a function is taken from it.
  std::uint64_t wal_size_max = 64U << 20U;
};

/// Counters for metrics; monotonically rising since start.
struct SqliteStatistics {
  std::uint64_t commits = 0;
  std::uint64_t write_functions = 0;
  std::uint64_t read_sessions = 0;
  std::uint64_t statements = 0;  ///< Of sessions, with the BEGIN, COMMIT and SAVEPOINT around them.
  std::uint64_t wal_cuts = 0;    ///< The write-ahead log exceeded its limit and was emptied.
  std::uint64_t write_queue_length = 0;  ///< now
  std::uint64_t wal_bytes = 0;           ///< now
};

class SqliteDatabase : public Database {
 public:
  /// Opens or creates the file in WAL mode with synchronous=FULL and applies missing migrations.
  /// Errors: kPrecondition when the schema is newer than this program.
  static Result<std::unique_ptr<SqliteDatabase>> open(const SqliteOptions& options,
                                                      const Clock& clock, log::Logger logger);
  [[nodiscard]] virtual SqliteStatistics statistics() const = 0;
};

}  // namespace roadstead::db
