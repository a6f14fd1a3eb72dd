#include "db/status.h"

#include <string_view>

#include <fmt/format.h>

#include "db/migration.h"

namespace roadstead::db {
namespace {

struct Questions {
  std::string_view name;
  std::string_view version;
  std::string_view has_schema;  ///< One row when the table schema_version is there.
};

Questions questions_for(Engine engine) {
  switch (engine) {
    case Engine::kSqlite:
      return {"SQLite", "SELECT sqlite_version()",
              "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'"};
    case Engine::kPostgresql:
      return {"PostgreSQL", "SELECT current_setting('server_version')",
              "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND "
              "table_name = 'schema_version'"};
    case Engine::kMysql:
      return {"MySQL", "SELECT VERSION()",
              "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND "
              "table_name = 'schema_version'"};
  }
  return {};
}

}  // namespace

Result<DatabaseStatus> read_status(const CopyEnd& end) {
  const Questions questions = questions_for(end.engine);
  return end.database.read([&](ReadSession& session) -> Result<DatabaseStatus> {
    DatabaseStatus status;
    const auto version = TRY(session.first(
        questions.version, {}, [](const Row& row) { return std::string(row.text(0)); }));
    const bool mariadb = version && version->find("MariaDB") != std::string::npos;
    status.engine = fmt::format("{} {}", mariadb ? "MariaDB" : questions.name,
                                version.value_or("of unknown version"));
    if (TRY(session.first(questions.has_schema, {}, [](const Row&) { return true; }))) {
      status.version = static_cast<int>(TRY(schema_version(session)));
    }
    status.too_new = !check_schema_version(status.version, embedded_migrations());
    for (const Migration& migration : embedded_migrations()) {
      if (migration.version > status.version) {
        status.pending.push_back(fmt::format("{} {}", migration.version, migration.name));
      }
    }
    return status;
  });
}

}  // namespace roadstead::db
