#include "db/testing/scratch_server.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "db/internal/mysql_connection.h"
#include "db/internal/postgresql_connection.h"
#include "db/migration.h"
#include "db/server.h"

namespace roadstead::db::testing {
namespace {

constexpr std::string_view kSchema = "roadstead_scratch";

template <typename T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "scratch server: %s\n", describe(result.error()).c_str());
    std::abort();
  }
  return std::move(*result);
}

std::string with_option(std::string url, std::string_view option) {
  if (!option.empty()) {
    url += url.find('?') == std::string::npos ? '?' : '&';
    url += option;
  }
  return url;
}

/// A table that the migrations make.
bool is_ours(std::string_view table) {
  const std::string definition = "CREATE TABLE " + std::string(table) + " (";
  return table.starts_with("schema_") ||
         std::any_of(embedded_migrations().begin(), embedded_migrations().end(),
                     [&](const Migration& migration) {
                       return migration.text.find(definition) != std::string_view::npos;
                     });
}

}  // namespace

std::string_view name_of(ServerEngine engine) {
  return engine == ServerEngine::kPostgresql ? "postgresql" : "mysql";
}

std::optional<std::string> server_url(ServerEngine engine) {
  const char* const url =
      std::getenv(engine == ServerEngine::kPostgresql ? "ROADSTEAD_TEST_POSTGRESQL_URL"
                                                      : "ROADSTEAD_TEST_MYSQL_URL");
  return url == nullptr || *url == '\0' ? std::nullopt : std::optional<std::string>(url);
}

/// A connection beside those of the database under test.
struct ScratchServer::Side {
  std::unique_ptr<internal::ServerConnection> connection;
};

ScratchServer::ScratchServer(ServerEngine engine)
    : engine_(engine), url_(server_url(engine).value_or("")), side_(std::make_unique<Side>()) {
  const ServerOptions options = must(parse_server_url(url_));
  if (engine == ServerEngine::kPostgresql) {
    side_->connection = must(internal::PostgresqlConnection::open(options));
    run("CREATE SCHEMA IF NOT EXISTS " + std::string(kSchema));
    run("SET search_path TO " + std::string(kSchema));
    url_ = with_option(url_, "options=-csearch_path%3D" + std::string(kSchema));
  } else {
    side_->connection = must(internal::MysqlConnection::open(options));
    run("SET foreign_key_checks = 0");
  }
  empty();
}

std::vector<std::string> ScratchServer::tables() const {
  return rows(engine_ == ServerEngine::kPostgresql
                  ? "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = "
                    "current_schema()"
                  : "SELECT table_name FROM information_schema.tables WHERE table_schema = "
                    "DATABASE()");
}

/// One by one, so that what is left of a test that was killed does not matter.
void ScratchServer::empty() const {
  const std::vector<std::string> present = tables();
  const auto newest = std::to_string(embedded_migrations().back().version);
  const bool complete =
      std::find(present.begin(), present.end(), "schema_version") != present.end() &&
      rows("SELECT name FROM schema_version WHERE version <= " + newest).size() ==
          embedded_migrations().size() &&
      rows("SELECT name FROM schema_version").size() == embedded_migrations().size();
  if (!complete) {
    remove_tables();
    return;
  }
  const bool restart = engine_ == ServerEngine::kPostgresql;
  for (const std::string& table : present) {
    if (!is_ours(table)) {
      run("DROP TABLE \"" + table + "\"");
    } else if (table.starts_with("schema_")) {
      continue;
    } else if (restart) {
      run("TRUNCATE \"" + table + "\" RESTART IDENTITY CASCADE");
    } else if (!rows("SELECT CAST(auto_increment AS CHAR) FROM information_schema.tables WHERE "
                     "table_schema = DATABASE() AND table_name = '" +
                     table + "' AND auto_increment > 1")
                    .empty() ||
               !rows("SELECT '' FROM \"" + table + "\" LIMIT 1").empty()) {
      run("TRUNCATE \"" + table + "\"");
    }
  }
}

void ScratchServer::remove_tables() const {
  const std::string cascade = engine_ == ServerEngine::kPostgresql ? " CASCADE" : "";
  for (const std::string& table : tables()) {
    run("DROP TABLE \"" + table + "\"" + cascade);
  }
}

ScratchServer::~ScratchServer() = default;

std::string ScratchServer::url(std::string_view options) const {
  return with_option(url_, options);
}

Result<std::unique_ptr<Database>> ScratchServer::try_open(std::string_view options) const {
  // What the pool says of lost connections is what the tests are about.
  static const SystemClock kClock;
  static log::Sink sink(2, log::Format::kText, log::Level::kError, kClock);
  return open_server_database(TRY(parse_server_url(url(options))), log::Logger(sink));
}

std::unique_ptr<Database> ScratchServer::open(std::string_view options) const {
  return must(try_open(options));
}

void ScratchServer::run(std::string_view sql) const {
  must(side_->connection->execute(sql, {}));
}

std::vector<std::string> ScratchServer::rows(std::string_view sql) const {
  std::vector<std::string> found;
  const auto done = side_->connection->each(sql, {}, [&](const Row& row) {
    found.emplace_back(row.text(0));
    return true;
  });
  if (!done) {
    must(Result<int>(done.error()));
  }
  return found;
}

std::size_t ScratchServer::kill_sessions() const {
  if (engine_ == ServerEngine::kPostgresql) {
    return rows(
               "SELECT CAST(pg_terminate_backend(pid) AS text) FROM pg_stat_activity WHERE pid <> "
               "pg_backend_pid() AND datname = current_database()")
        .size();
  }
  const auto sessions = rows(
      "SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE id <> "
      "CONNECTION_ID() AND db = DATABASE()");
  for (const std::string& session : sessions) {
    // One that has ended by itself meanwhile is an error.
    static_cast<void>(side_->connection->execute("KILL " + session, {}));
  }
  return sessions.size();
}

}  // namespace roadstead::db::testing
