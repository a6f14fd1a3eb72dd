#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "db/database.h"

namespace roadstead::db {

/// One file of migrations/, embedded in the program: "0001_core.sql" is version 1, name "core".
struct Migration {
  int version = 0;
  std::string_view name;
  std::string_view text;
};

/// All migrations in the order of their versions 1, 2, 3, …
std::span<const Migration> embedded_migrations();

/// What the tokens of the portable text mean to an engine.
struct Dialect {
  struct Token {
    std::string_view name;  ///< With braces: "{id}".
    std::string_view sql;
  };
  std::span<const Token> tokens;
  /// Appended to a CREATE TABLE.
  std::string_view table_suffix;
  /// As well, when the primary key is several columns (an edge between rows).
  std::string_view edge_table_suffix;
  /// Whether statements run that begin with {embedded}.
  bool embedded = false;
};
const Dialect& sqlite_dialect();
const Dialect& postgresql_dialect();
/// MySQL and MariaDB have different names for comparing texts byte by byte, blanks at the end too.
const Dialect& mysql_dialect(bool mariadb);
std::string_view mysql_collation(bool mariadb);

/// The statements of a migration for one engine: comments removed, tokens replaced. A statement
/// ends with ';' at the end of a line. Errors: kInternal for an unknown token or an unfinished
/// statement.
Result<std::vector<std::string>> render(std::string_view text, const Dialect& dialect);

/// The table that says which migrations were applied, in portable text.
inline constexpr std::string_view kVersionTable =
    "CREATE TABLE IF NOT EXISTS schema_version (\n"
    "  version {int} NOT NULL PRIMARY KEY,\n"
    "  name {name} NOT NULL,\n"
    "  applied_at {time} NOT NULL\n"
    ");\n";
/// Stands there as a version while a copy is being made (db/copy.h).
inline constexpr int kUnfinishedCopy = 1'000'000'000;
/// The version of the schema; 0 when there is nothing but that table.
Result<std::int64_t> schema_version(ReadSession& session);
/// Errors: kPrecondition when that version is newer than the last migration, or the database is
/// half a copy.
Result<void> check_schema_version(std::int64_t current, std::span<const Migration> migrations);
/// Writes down that a migration was applied.
Result<void> record_migration(WriteSession& session, const Migration& migration);

/// Applies what `migrations` has beyond the table schema_version, inside the caller's transaction.
/// Returns how many were applied. Errors: kPrecondition when the schema is newer than the last
/// migration.
Result<int> migrate(WriteSession& session, std::span<const Migration> migrations,
                    const Dialect& dialect);

}  // namespace roadstead::db
