#include "db/testing/scratch_database.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "db/copy.h"
#include "db/internal/sqlite_connection.h"
#include "db/server.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db::testing {
namespace {

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

/// Aborts with the error's text when there is no value.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", describe(result.error()).c_str());
    std::abort();
  }
  return std::move(result).value();
}

std::string plan_of(const std::filesystem::path& path, std::string_view sql, Params params) {
  using internal::SqliteConnection;
  const auto connection =
      must(SqliteConnection::open({.path = path, .access = SqliteConnection::Access::kRead}));
  std::string plan;
  const auto add_step = [&](const Row& row) {
    plan += row.text(3);
    plan += '\n';
    return true;
  };
  const Result<void> result =
      connection->each("EXPLAIN QUERY PLAN " + std::string(sql), params, add_step);
  return result ? plan : describe(result.error());
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// Where the tests of this process keep their databases; empty for SQLite.
const std::string& server_url() {
  static const std::string kUrl = [] {
    const std::string engine = variable("ROADSTEAD_TEST_DATABASE");
    if (engine.empty() || engine == "sqlite") {
      return std::string();
    }
    std::string url = variable(engine == "postgresql" ? "ROADSTEAD_TEST_POSTGRESQL_URL"
                                                      : "ROADSTEAD_TEST_MYSQL_URL");
    if (url.empty()) {
      std::fprintf(stderr, "ROADSTEAD_TEST_DATABASE is %s, and no URL says where\n",
                   engine.c_str());
      std::abort();
    }
    return url;
  }();
  return kUrl;
}

/// The URL of another database of the server, beside the one that it names.
std::string with_database(std::string url, const std::string& suffix) {
  const std::size_t end = std::min(url.find('?'), url.size());
  return url.insert(end, suffix);
}

/// One of the databases (in PostgreSQL, schemas) on the server that nobody uses at the moment.
class ServerPlace {
 public:
  explicit ServerPlace(const std::string& url) {
    const auto free = std::find(taken().begin(), taken().end(), false);
    CHECK(free != taken().end());
    number_ = static_cast<std::size_t>(free - taken().begin());
    taken()[number_] = true;
    url_ = url;
    if (number_ == 0) {
      return;
    }
    const bool mysql = engine_of(url) == Engine::kMysql;
    SystemClock clock;
    log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
    const std::string suffix = "_scratch" + std::to_string(number_);
    const std::string schema = "scratch" + std::to_string(number_);
    const auto main = must(open_server_database(must(parse_server_url(url)), log::Logger(sink)));
    must(main->write([&](WriteSession& session) -> Result<std::int64_t> {
      if (!mysql) {
        return session.execute("CREATE SCHEMA IF NOT EXISTS " + schema, {});
      }
      const auto name = TRY(session.first("SELECT DATABASE()", {},
                                          [](const Row& row) { return std::string(row.text(0)); }));
      return session.execute("CREATE DATABASE IF NOT EXISTS " + name.value_or("") + suffix, {});
    }));
    if (mysql) {
      url_ = with_database(url, suffix);
      return;
    }
    url_ += url.find('?') == std::string::npos ? '?' : '&';
    url_ += "options=-csearch_path%3D" + schema;
  }
  ServerPlace(const ServerPlace&) = delete;
  ServerPlace& operator=(const ServerPlace&) = delete;
  ~ServerPlace() { taken()[number_] = false; }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  static std::array<bool, 8>& taken() {
    static std::array<bool, 8> taken{};
    return taken;
  }
  std::size_t number_ = 0;
  std::string url_;
};

/// Only what was used: making a table anew takes long.
Result<std::int64_t> empty_mysql(WriteSession& session) {
  const auto tables = TRY(session.all(
      "SELECT table_name, COALESCE(auto_increment, 0) FROM information_schema.tables WHERE "
      "table_schema = DATABASE() AND table_name NOT LIKE 'schema!_%' ESCAPE '!'",
      {}, [](const Row& row) { return std::pair(std::string(row.text(0)), row.integer(1) > 1); }));
  TRY(session.execute("SET foreign_key_checks = 0", {}));
  for (const auto& [table, counted] : tables) {
    const auto used = TRY(session.first("SELECT 1 FROM \"" + table + "\" LIMIT 1", {},
                                        [](const Row&) { return true; }));
    if (counted || used) {
      TRY(session.execute("TRUNCATE \"" + table + "\"", {}));
    }
  }
  return session.execute("SET foreign_key_checks = 1", {});
}

/// Leaves the schema, and begins ids anew.
void empty_database(Database& database, Engine engine) {
  if (engine == Engine::kMysql) {
    must(database.write(empty_mysql));
    return;
  }
  must(database.write([](WriteSession& session) -> Result<std::int64_t> {
    const auto tables = TRY(session.all(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> "
        "'schema_version'",
        {}, [](const Row& row) { return std::string(row.text(0)); }));
    std::string all;
    for (const std::string& table : tables) {
      all += (all.empty() ? "" : ", ") + table;
    }
    return session.execute("TRUNCATE " + all + " RESTART IDENTITY", {});
  }));
}

}  // namespace

struct ScratchDatabase::State {
  State(const Clock& the_clock, SqliteOptions the_options)
      : clock(the_clock),
        sink(2, log::Format::kText, log::Level::kError, the_clock),
        options(std::move(the_options)) {
    options.path = directory.path() / "roadstead.db";
    if (!server_url().empty()) {
      server.emplace(server_url());
    }
    open();
  }
  void open() {
    if (!server) {
      database = must(SqliteDatabase::open(options, clock, log::Logger(sink)));
      return;
    }
    ServerOptions how = must(parse_server_url(server->url()));
    how.clock = &clock;
    database = must(open_server_database(how, log::Logger(sink)));
    if (!std::exchange(emptied, true)) {
      empty_database(*database, engine_of(server->url()));
    }
  }

  const Clock& clock;
  log::Sink sink;
  sys::testing::ScratchDirectory directory;
  SqliteOptions options;
  std::optional<ServerPlace> server;
  bool emptied = false;
  std::unique_ptr<Database> database;
};

ScratchDatabase::ScratchDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScratchDatabase::ScratchDatabase(ScratchDatabase&&) noexcept = default;
ScratchDatabase& ScratchDatabase::operator=(ScratchDatabase&&) noexcept = default;
ScratchDatabase::~ScratchDatabase() = default;

Database& ScratchDatabase::get() const {
  return *state_->database;
}

std::string ScratchDatabase::explain(std::string_view sql,
                                     std::initializer_list<Param> params) const {
  return plan_of(path(), sql, Params(params.begin(), params.size()));
}

std::string ScratchDatabase::explain(std::string_view sql) const {
  const auto count = static_cast<std::size_t>(std::count(sql.begin(), sql.end(), '?'));
  return plan_of(path(), sql, std::vector<Param>(count, Param(nullptr)));
}

bool ScratchDatabase::embedded() const {
  return !state_->server;
}

std::size_t ScratchDatabase::waiting() const {
  if (embedded()) {
    return 0;
  }
  const std::string_view sql =
      engine_of(state_->server->url()) == Engine::kMysql
          ? "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status WHERE "
            "variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'"
          : "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
  const auto count = must(get().read_once([&](ReadSession& session) {
    return session.first(sql, {}, [](const Row& row) { return row.integer(0); });
  }));
  return static_cast<std::size_t>(count.value_or(0));
}

void ScratchDatabase::close() {
  state_->database.reset();
}

void ScratchDatabase::reopen() {
  close();
  state_->open();
}

const std::filesystem::path& ScratchDatabase::path() const {
  return state_->options.path;
}

const std::filesystem::path& ScratchDatabase::directory() const {
  return state_->directory.path();
}

ScratchDatabase open_scratch_database(SqliteOptions options) {
  return open_scratch_database(system_clock(), std::move(options));
}

ScratchDatabase open_scratch_database(const Clock& clock, SqliteOptions options) {
  return ScratchDatabase(std::make_unique<ScratchDatabase::State>(clock, std::move(options)));
}

}  // namespace roadstead::db::testing
