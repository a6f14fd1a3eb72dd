#pragma once

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
const Dialect& mysql_dialect();

/// The statements of a migration for one engine: comments removed, tokens replaced. A statement
/// ends with ';' at the end of a line. Errors: kInternal for an unknown token or an unfinished
/// statement.
Result<std::vector<std::string>> render(std::string_view text, const Dialect& dialect);

/// Applies what `migrations` has beyond the table schema_version, inside the caller's transaction.
/// Returns how many were applied. Errors: kPrecondition when the schema is newer than the last
/// migration.
Result<int> migrate(WriteSession& session, std::span<const Migration> migrations,
                    const Dialect& dialect);

}  // namespace roadstead::db
