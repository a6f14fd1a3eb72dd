#include "db/internal/id_counters.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace roadstead::db::internal {
namespace {

constexpr std::string_view kSequenceOf =
    "CAST(pg_get_serial_sequence(CAST(? AS text), 'id') AS regclass)";

/// What the engine keeps beside the table.
std::string counter_query(Engine engine) {
  switch (engine) {
    case Engine::kSqlite:
      return "SELECT seq FROM sqlite_sequence WHERE name = ?";
    case Engine::kPostgresql:
      return fmt::format("SELECT COALESCE(pg_sequence_last_value({}), 0)", kSequenceOf);
    case Engine::kMysql:
      return "SELECT auto_increment - 1 FROM information_schema.tables WHERE table_schema = "
             "DATABASE() AND table_name = ?";
  }
  return {};
}

}  // namespace

Result<std::int64_t> last_id(const CopyEnd& end, const std::string& table) {
  return end.database.read([&](ReadSession& session) -> Result<std::int64_t> {
    const auto number = [](const Row& row) { return row.integer(0); };
    const auto counted = TRY(session.first(counter_query(end.engine), {table}, number));
    // An id that was given by hand need not be counted.
    const auto highest =
        TRY(session.first(fmt::format("SELECT COALESCE(MAX(id), 0) FROM {}", table), {}, number));
    return std::max(counted.value_or(0), highest.value_or(0));
  });
}

Result<void> set_last_id(const CopyEnd& end, const std::string& table, std::int64_t last) {
  if (last <= 0) {
    return {};
  }
  return end.database.write([&](WriteSession& session) -> Result<void> {
    switch (end.engine) {
      case Engine::kSqlite:
        TRY(session.execute("DELETE FROM sqlite_sequence WHERE name = ?", {table}));
        TRY(session.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                            {table, last}));
        return {};
      case Engine::kPostgresql:
        return session.each(fmt::format("SELECT setval({}, CAST(? AS bigint), true)", kSequenceOf),
                            {table, last}, [](const Row&) { return true; });
      case Engine::kMysql:
        TRY(session.execute(fmt::format("ALTER TABLE {} AUTO_INCREMENT = {}", table, last + 1),
                            {}));
        return {};
    }
    return {};
  });
}

}  // namespace roadstead::db::internal
