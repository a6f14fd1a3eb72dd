#include "db/internal/mysql_migration.h"

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "db/internal/mysql_connection.h"
#include "db/internal/server_session.h"

namespace roadstead::db::internal {
namespace {

/// A new index on a table of many millions of rows takes its time.
constexpr std::chrono::hours kStatementTime{6};
constexpr int kLockSeconds = 120;
// Locks are the whole server's, and their names have 64 characters at most.
constexpr std::string_view kTakeLock = "SELECT GET_LOCK(CONCAT('roadstead ', SHA1(DATABASE())), ?)";

constexpr std::string_view kProgressTable =
    "CREATE TABLE IF NOT EXISTS schema_progress (\n"
    "  version {int} NOT NULL PRIMARY KEY,\n"
    "  statements {int} NOT NULL\n"
    ");\n";

constexpr std::string_view kSetProgress =
    "UPDATE schema_progress SET statements = ? WHERE version = ?";

/// What a statement fails of that has happened before: a table, column, index, foreign key or
/// object that is there, or gone.
bool has_happened(unsigned number) {
  constexpr std::array<unsigned, 6> kNumbers = {1050, 1060, 1061, 1091, 1826, 1051};
  for (const unsigned known : kNumbers) {
    if (known == number) {
      return true;
    }
  }
  return false;
}

bool changes_rows(std::string_view statement) {
  return statement.starts_with("INSERT ") || statement.starts_with("UPDATE ") ||
         statement.starts_with("DELETE ");
}

class Migrator {
 public:
  explicit Migrator(MysqlConnection& connection)
      : connection_(connection), dialect_(mysql_dialect(connection.is_mariadb())) {}

  Result<void> take_lock() {
    std::int64_t given = 0;
    const Param seconds(kLockSeconds);
    TRY(connection_.each(kTakeLock, Params(&seconds, 1), [&](const Row& row) {
      given = row.integer(0);
      return true;
    }));
    if (given != 1) {
      return Error{Code::kUnavailable,
                   Subject::kDatabase,
                   "another process has been changing the database's schema for too long",
                   {}};
    }
    return {};
  }

  Result<int> run(std::span<const Migration> migrations) {
    TRY(define(kVersionTable));
    TRY(define(kProgressTable));
    ServerSession session(connection_, nullptr);
    const std::int64_t current = TRY(schema_version(session));
    TRY(check_schema_version(current, migrations));
    int applied = 0;
    for (const Migration& migration : migrations) {
      if (migration.version > current) {
        TRY(apply(migration));
        ++applied;
      }
    }
    return applied;
  }

 private:
  Result<void> define(std::string_view text) {
    for (const std::string& statement : TRY(render(text, dialect_))) {
      TRY(connection_.execute(statement, {}));
    }
    return {};
  }

  Result<void> apply(const Migration& migration) {
    ServerSession session(connection_, nullptr);
    const auto statements = TRY(render(migration.text, dialect_));
    const auto begun =
        TRY(session.first("SELECT statements FROM schema_progress WHERE version = ?",
                          {migration.version}, [](const Row& row) { return row.integer(0); }));
    if (!begun) {
      TRY(session.execute("INSERT INTO schema_progress (version, statements) VALUES (?, 0)",
                          {migration.version}));
    }
    const auto first = static_cast<std::size_t>(begun.value_or(0));
    for (std::size_t i = first; i < statements.size(); ++i) {
      const bool may_have_happened = begun && i == first;
      TRY(step(statements[i], may_have_happened, {i + 1, migration.version}));
    }
    return finish(migration);
  }

  /// One statement, and that it has happened: together where the engine can do that.
  Result<void> step(const std::string& statement, bool may_have_happened,
                    std::initializer_list<Param> progress) {
    const bool together = changes_rows(statement);
    if (together) {
      TRY(connection_.begin_write(true));
    }
    const auto done = connection_.execute(statement, {});
    if (!done && !(may_have_happened && has_happened(connection_.error_number()))) {
      return done.error();
    }
    TRY(connection_.execute(kSetProgress, Params(progress.begin(), progress.size())));
    return together ? connection_.commit() : Result<void>();
  }

  Result<void> finish(const Migration& migration) {
    TRY(connection_.begin_write(true));
    ServerSession session(connection_, nullptr);
    TRY(record_migration(session, migration));
    TRY(session.execute("DELETE FROM schema_progress WHERE version = ?", {migration.version}));
    return connection_.commit();
  }

  MysqlConnection& connection_;
  const Dialect& dialect_;
};

}  // namespace

Result<int> migrate_mysql(const ServerOptions& options, std::span<const Migration> migrations) {
  ServerOptions patient = options;
  patient.statement_time = kStatementTime;
  const auto connection = TRY(MysqlConnection::connect(patient));
  Migrator migrator(*connection);
  TRY(migrator.take_lock());
  // The lock goes with the connection.
  return migrator.run(migrations);
}

}  // namespace roadstead::db::internal
