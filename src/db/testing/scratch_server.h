#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "db/database.h"

namespace roadstead::db::testing {

enum class ServerEngine : std::uint8_t { kPostgresql, kMysql };
/// "postgresql", "mysql".
std::string_view name_of(ServerEngine engine);
/// The URL in ROADSTEAD_TEST_POSTGRESQL_URL or ROADSTEAD_TEST_MYSQL_URL, or nothing.
std::optional<std::string> server_url(ServerEngine engine);

/// A place without rows on a database server: a schema of PostgreSQL, or the one database of MySQL,
/// so there is one at a time in all processes. Tables of the schema of this program stay, as making
/// them takes long; others go. Failures abort, as a test can do nothing without it.
class ScratchServer {
 public:
  /// The URL of that engine is set.
  explicit ScratchServer(ServerEngine engine);
  ScratchServer(const ScratchServer&) = delete;
  ScratchServer& operator=(const ScratchServer&) = delete;
  ~ScratchServer();

  [[nodiscard]] ServerEngine engine() const { return engine_; }
  /// Of the place, with our options appended, "pool_size=1".
  [[nodiscard]] std::string url(std::string_view options = {}) const;
  /// Opens it, with the whole schema.
  [[nodiscard]] Result<std::unique_ptr<Database>> try_open(std::string_view options = {}) const;
  [[nodiscard]] std::unique_ptr<Database> open(std::string_view options = {}) const;

  void remove_tables() const;
  /// Runs a statement by itself, as somebody else who may do so.
  void run(std::string_view sql) const;
  [[nodiscard]] std::vector<std::string> rows(std::string_view sql) const;
  /// Ends every other session there; how many.
  std::size_t kill_sessions() const;

 private:
  struct Side;
  [[nodiscard]] std::vector<std::string> tables() const;
  void empty() const;
  ServerEngine engine_;
  std::string url_;
  std::unique_ptr<Side> side_;
};

}  // namespace roadstead::db::testing
