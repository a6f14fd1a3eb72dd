#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "db/database.h"
#include "db/sqlite.h"

namespace roadstead::db::testing {

/// A fresh database with the full schema: SQLite in a temporary directory, both gone when this
/// dies, or, where ROADSTEAD_TEST_DATABASE says postgresql or mariadb, an emptied one on the server
/// whose URL is in ROADSTEAD_TEST_POSTGRESQL_URL or ROADSTEAD_TEST_MYSQL_URL. Failures to open
/// abort, as a test can do nothing without it.
class ScratchDatabase {
 public:
  ScratchDatabase(ScratchDatabase&&) noexcept;
  ScratchDatabase& operator=(ScratchDatabase&&) noexcept;
  ~ScratchDatabase();

  [[nodiscard]] Database& get() const;
  Database& operator*() const { return get(); }
  Database* operator->() const { return &get(); }
  operator Database&() const { return get(); }  // NOLINT(google-explicit-constructor)

  /// Whether it is SQLite: plans and paths are only there.
  [[nodiscard]] bool embedded() const;
  /// How many sessions on the server wait for a lock at the moment, those of other programs
  /// included; 0 for SQLite. Of MariaDB a session may be counted for a moment after it was woken.
  [[nodiscard]] std::size_t waiting() const;
  /// The engine's plan of a statement, one step per line, e.g.
  /// "SEARCH tag USING INDEX tag_name (repository_id=? AND name=?)\n".
  [[nodiscard]] std::string explain(std::string_view sql,
                                    std::initializer_list<Param> params) const;
  /// The plan for as many null parameters as the statement wants.
  [[nodiscard]] std::string explain(std::string_view sql) const;

  /// Closes the database and opens the same file again, as a restart does.
  void reopen();
  /// Closes the database; only reopen(), explain() and the paths may be used then.
  void close();
  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] const std::filesystem::path& directory() const;

 private:
  struct State;
  explicit ScratchDatabase(std::unique_ptr<State> state);
  friend ScratchDatabase open_scratch_database(const Clock& clock, SqliteOptions options);
  std::unique_ptr<State> state_;
};

/// On the system's clock. `options.path` is ignored.
ScratchDatabase open_scratch_database(SqliteOptions options = {});
/// The clock outlives the database.
ScratchDatabase open_scratch_database(const Clock& clock, SqliteOptions options = {});
ScratchDatabase open_scratch_database(const Clock&& temporary, SqliteOptions options = {}) = delete;

}  // namespace roadstead::db::testing
