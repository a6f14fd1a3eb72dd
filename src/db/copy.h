#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "db/database.h"

namespace roadstead::db {

/// MySQL is MariaDB as well.
enum class Engine : std::uint8_t { kSqlite, kPostgresql, kMysql };
/// Of a URL that is valid: "sqlite:…", "postgresql://…", "mysql://…".
Engine engine_of(std::string_view url);

struct CopyEnd {
  Database& database;
  Engine engine;
};
struct CopyReport {
  std::uint64_t tables = 0;
  std::uint64_t rows = 0;
};

/// Copies all rows of an installation, as they are at one moment of the call, into a database of
/// any engine with the same schema and without rows; what is written to the source meanwhile is
/// not in it. Ids that the source has given away are not given again by the target. `progress` is
/// called before each table. Memory: a page of rows. Durable when this returns.
///
/// A target whose copy did not finish refuses to be opened as a database from then on
/// (schema_version). Errors: kPrecondition when the versions of the schema differ or the target has
/// rows; kInvalid when the target cannot hold a text (the message names the table).
Result<CopyReport> copy_database(const CopyEnd& source, const CopyEnd& target,
                                 const std::function<void(std::string_view table)>& progress = {});

}  // namespace roadstead::db
