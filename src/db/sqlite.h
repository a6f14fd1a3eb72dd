#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
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
  /// Writes a consistent copy of the database, as it is at some moment of the call, into a new file
  /// (mode 0600), which survives power loss when this returns. Readers and writers go on; the
  /// write-ahead log is not emptied meanwhile. Errors: kConflict + kStorage when there is such a
  /// file; kUnavailable when the disk is full. What a failure leaves is removed.
  virtual Result<void> copy_to(const std::filesystem::path& path) = 0;
};

/// Runs `fn` on a database file that no process writes, such as what copy_to() made. Neither the
/// file nor its schema is changed.
Result<void> read_sqlite_file(const std::filesystem::path& path, const Clock& clock,
                              const std::function<Result<void>(ReadSession&)>& fn);
/// Whether the file is a whole database. Errors: kInvalid + kDatabase with what is wrong.
Result<void> check_sqlite_file(const std::filesystem::path& path);

}  // namespace roadstead::db
