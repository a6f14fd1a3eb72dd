#include "db/server.h"

#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "db/internal/mysql_connection.h"
#include "db/internal/mysql_migration.h"
#include "db/internal/mysql_url.h"
#include "db/internal/postgresql_connection.h"
#include "db/internal/server_database.h"
#include "db/internal/server_session.h"
#include "db/migration.h"

namespace roadstead::db {
namespace {

/// All processes that may bring the schema up to date take this lock (pg_advisory_xact_lock).
constexpr std::string_view kTakeMigrationLock = "SELECT pg_advisory_xact_lock(7250117362340)";

Error bad_url(std::string message) {
  return Error{Code::kInvalid, Subject::kDatabase, std::move(message), {}};
}

Result<std::int64_t> number_in(std::string_view key, std::string_view value, std::int64_t max) {
  std::int64_t number = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), number);
  if (end.ec != std::errc() || end.ptr != value.data() + value.size() || number < 1 ||
      number > max) {
    return bad_url(fmt::format("database URL: {} must be a number from 1 to {}", key, max));
  }
  return number;
}

/// Takes what is ours; false when the option is the engine's.
Result<bool> take_option(ServerOptions& options, std::string_view key, std::string_view value) {
  constexpr std::int64_t kConnectionsMax = 10'000;
  constexpr std::int64_t kSecondsMax = 3600;
  if (key == "pool_size") {
    options.pool_size = static_cast<std::size_t>(TRY(number_in(key, value, kConnectionsMax)));
    return true;
  }
  if (key == "statement_seconds") {
    options.statement_time = std::chrono::seconds{TRY(number_in(key, value, kSecondsMax))};
    return true;
  }
  if (key == "acquire_seconds") {
    options.acquire_time = std::chrono::seconds{TRY(number_in(key, value, kSecondsMax))};
    return true;
  }
  if (key == "prepared_statements") {
    if (value != "true" && value != "false") {
      return bad_url("database URL: prepared_statements must be true or false");
    }
    options.prepared_statements = value == "true";
    return true;
  }
  return false;
}

bool is_mysql(std::string_view url) {
  return url.starts_with("mysql://");
}

internal::ServerPool::Connect connector(const ServerOptions& options) {
  return [options] {
    return is_mysql(options.url) ? internal::MysqlConnection::open(options)
                                 : internal::PostgresqlConnection::open(options);
  };
}

/// The definition of the whole schema is one transaction.
Result<int> migrate_postgresql(const ServerOptions& options) {
  const auto connection = TRY(internal::PostgresqlConnection::open(options));
  TRY(connection->begin_write(true));
  internal::ServerSession session(*connection, options.clock);
  TRY(session.lock(kTakeMigrationLock, {}));
  const int applied = TRY(migrate(session, embedded_migrations(), postgresql_dialect()));
  TRY(connection->commit());
  return applied;
}

Result<int> migrate_server(const ServerOptions& options) {
  return is_mysql(options.url) ? internal::migrate_mysql(options, embedded_migrations())
                               : migrate_postgresql(options);
}

/// MySQL's library knows no URLs, so that a bad one is ours to tell, and early.
Result<ServerOptions> checked(ServerOptions options) {
  if (is_mysql(options.url)) {
    TRY(internal::parse_mysql_url(options.url));
  }
  return options;
}

}  // namespace

Result<ServerOptions> parse_server_url(std::string_view url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://") && !is_mysql(url)) {
    return bad_url("database URL: must begin with postgresql:// or mysql://");
  }
  ServerOptions options;
  const std::size_t question = url.find('?');
  options.url = url.substr(0, question);
  if (question == std::string_view::npos) {
    return checked(std::move(options));
  }
  char separator = '?';
  for (const std::string_view option : split(url.substr(question + 1), '&')) {
    const std::size_t equals = option.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
    if (TRY(take_option(options, option.substr(0, equals), value))) {
      continue;
    }
    options.url += separator;
    options.url += option;
    separator = '&';
  }
  return checked(std::move(options));
}

std::string mask_password(std::string_view url) {
  std::string masked(url);
  const std::size_t user = masked.find("://");
  const std::size_t at = masked.find_last_of('@', masked.find_first_of("/?", user + 3));
  const std::size_t colon = masked.find(':', user + 3);
  if (user != std::string::npos && at != std::string::npos && colon < at) {
    masked.replace(colon + 1, at - colon - 1, "***");
  }
  if (const std::size_t option = masked.find("password="); option != std::string::npos) {
    const std::size_t begin = option + std::string_view("password=").size();
    // A quotation mark ends a text that `config show` prints.
    masked.replace(begin, std::min(masked.find_first_of("&\"", begin), masked.size()) - begin,
                   "***");
  }
  return masked;
}

Result<std::unique_ptr<Database>> open_server_database(const ServerOptions& options,
                                                       log::Logger logger) {
  if (options.migrate) {
    const int applied = TRY(migrate_server(options));
    if (applied > 0) {
      logger.info("database schema updated", {{"migrations", applied}});
    }
  }
  return std::unique_ptr<Database>(std::make_unique<internal::ServerDatabase>(
      connector(options), internal::ServerPool::Options{options.pool_size, options.acquire_time},
      engine_of(options.url), options.clock, logger));
}

}  // namespace roadstead::db
