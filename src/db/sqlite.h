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
  bool migrate = true;         ///< Whether open() brings the schema up to date.
  std::size_t readers_max = 64;  ///< Idle read connections kept.
  std::size_t write_queue_max =
      4096;                     ///< Write functions waiting; more are refused with kUnavailable.
  std::size_t batch_max = 256;  ///< Write functions per shared transaction.
  std::chrono::milliseconds write_wait_max{
      10'000};  ///< In the queue; checked when a function is taken from it.
  std::uint64_t wal_size_max = 64U << 20U;
};

class SqliteDatabase : public Database {
 public:
  /// Opens or creates the file in WAL mode with synchronous=FULL and applies missing migrations,
  /// if it is to.
  /// Errors: kPrecondition when the schema is newer than this program.
  static Result<std::unique_ptr<SqliteDatabase>> open(const SqliteOptions& options,
                                                      const Clock& clock, log::Logger logger);
};

/// Runs `fn` on a database file that no process writes, such as what copy_to() made. Neither the
/// file nor its schema is changed.
Result<void> read_sqlite_file(const std::filesystem::path& path, const Clock& clock,
                              const std::function<Result<void>(ReadSession&)>& fn);
/// Whether the file is a whole database. Errors: kInvalid + kDatabase with what is wrong.
Result<void> check_sqlite_file(const std::filesystem::path& path);

}  // namespace roadstead::db
