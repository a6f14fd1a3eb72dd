#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/result.h"
#include "db/database.h"
#include "db/internal/text_hash.h"

struct sqlite3;
struct sqlite3_stmt;

namespace roadstead::db::internal {

/// One connection to the database file with its prepared statements. Used by one thread at a time.
///
/// Errors of all functions are those of db::ReadSession; no message holds a bound value.
class SqliteConnection {
 public:
  enum class Access {
    kRead,
    kWrite,
    kFrozen  ///< Reads a file that nobody writes and leaves nothing beside it.
  };
  struct Options {
    std::filesystem::path path;
    std::string vfs{};  ///< Name of a registered VFS, or empty for the platform's own.
    Access access = Access::kRead;
    std::chrono::milliseconds busy_wait{2'000};  ///< For a lock held by another connection.
    std::uint64_t wal_size_max = 64U << 20U;     ///< A reset WAL file is cut to a quarter of this.
  };
  /// kWrite creates the file (mode 0600) when it is missing and puts it into WAL mode.
  static Result<std::unique_ptr<SqliteConnection>> open(const Options& options);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  /// Calls `row` for each row until it returns false; the statement is reset in every case. `row`
  /// may run other statements, also the same one.
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row);
  /// Number of rows changed; rows that a RETURNING yields are dropped.
  Result<std::int64_t> execute(std::string_view sql, Params params);
  /// A statement without parameters, e.g. COMMIT.
  Result<void> run(std::string_view sql);

  /// Writes the database as this connection's open read transaction sees it into a new file.
  /// Errors: kConflict when the file is there. Not synced.
  Result<void> copy_to(const std::filesystem::path& path);

  [[nodiscard]] std::int64_t last_insert_id() const;
  /// False after COMMIT and ROLLBACK, and when the engine itself rolled back (disk full, I/O error,
  /// no memory).
  [[nodiscard]] bool in_transaction() const;
  /// Statements run since the last call.
  std::uint64_t take_statement_count();
  /// `hook` runs on the committing thread after each commit that changed something, with the number
  /// of pages in the write-ahead log. Until destruction.
  void on_commit(std::function<void(std::uint64_t wal_pages)> hook);
  [[nodiscard]] sqlite3* handle() const { return handle_; }
  /// The failure `code` of the last call on this connection.
  [[nodiscard]] Error error(int code) const;

 private:
  struct Prepared {
    sqlite3_stmt* statement = nullptr;
    bool busy = false;
  };
  class Lease;

  explicit SqliteConnection(sqlite3* handle) : handle_(handle) {}
  static Result<std::unique_ptr<SqliteConnection>> open_frozen(const Options& options);
  Result<void> configure(const Options& options);
  Result<Lease> lease(std::string_view sql);
  Result<Prepared*> find_or_prepare(std::string_view sql);
  Result<sqlite3_stmt*> prepare(std::string_view sql) const;
  Result<void> bind(sqlite3_stmt* statement, Params params) const;
  void forget_idle_statements();

  sqlite3* handle_;
  std::unordered_map<std::string, Prepared, TextHash, std::equal_to<>> statements_;
  /// The same statements by where their text lies: hashing a long text costs more than comparing it
  /// once. Only a guess, because another text may lie there by now.
  struct Guess {
    const char* text = nullptr;
    std::pair<const std::string, Prepared>* statement = nullptr;
  };
  static constexpr std::size_t kGuesses = 64;
  std::array<Guess, kGuesses> guesses_{};
  std::uint64_t statement_count_ = 0;
  std::function<void(std::uint64_t)> commit_hook_;
};

}  // namespace roadstead::db::internal
