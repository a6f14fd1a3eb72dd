#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::db {

/// How to reach a database server, from a URL:
///   postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE
///   mysql://user:password@host:port/database?ssl-mode=verify_identity&ssl-ca=FILE
/// What the engine's client library knows of the rest of the query goes to it; these are ours:
///   pool_size=N                 connections at most (default 32)
///   statement_seconds=N         longest statement (default 30)
///   acquire_seconds=N           longest wait for a free connection (default 5)
///   prepared_statements=false   for a pooler between us and the server that forgets them
struct ServerOptions {
  std::string url;
  std::size_t pool_size = 32;
  std::chrono::seconds statement_time{30};
  std::chrono::seconds acquire_time{5};
  bool prepared_statements = true;
  bool migrate = true;           ///< Whether open_server_database() brings the schema up to date.
  const Clock* clock = nullptr;  ///< For tests: instead of the server's. Outlives the database.
};

/// Reads our options out of the URL and leaves the rest in `url`. Errors: kInvalid + kDatabase; the
/// message holds no password.
Result<ServerOptions> parse_server_url(std::string_view url);
/// The URL with its password masked, for logs.
std::string mask_password(std::string_view url);

/// Connects, and brings the schema up to date under a lock that all processes take, or leaves it as
/// it is. Errors:
/// kPrecondition when the schema is newer than this program, or the server older than we support;
/// kUnavailable when it cannot be reached; kInvalid for a bad URL.
Result<std::unique_ptr<Database>> open_server_database(const ServerOptions& options,
                                                       log::Logger logger);

}  // namespace roadstead::db
