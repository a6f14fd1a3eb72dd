#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "db/internal/server_clock.h"
#include "db/internal/server_connection.h"
#include "db/internal/text_hash.h"
#include "db/server.h"

// The client library's types, which only the .cpp needs whole.
struct st_mysql;       // NOLINT(readability-identifier-naming)
struct st_mysql_stmt;  // NOLINT(readability-identifier-naming)

namespace roadstead::db::internal {

class MysqlRows;

/// A connection to MySQL or MariaDB through libmariadb. Statements are prepared once and found by
/// their text; results come in binary. Nothing waits longer than the options say, however dead the
/// server is: a statement that is not answered in time costs the connection.
class MysqlConnection final : public ServerConnection {
 public:
  /// Errors: kUnavailable when the server cannot be reached or does not let us in, kPrecondition
  /// when it is too old, kInvalid when the URL is wrong.
  static Result<std::unique_ptr<ServerConnection>> open(const ServerOptions& options);
  /// As open(), for what only this engine has.
  static Result<std::unique_ptr<MysqlConnection>> connect(const ServerOptions& options);
  ~MysqlConnection() override;

  Result<void> begin_read() override;
  Result<void> begin_write(bool durable) override;
  Result<void> commit() override;
  void rollback() override;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override;
  Result<std::int64_t> execute(std::string_view sql, Params params) override;
  Result<std::int64_t> insert(std::string_view sql, Params params) override;
  Result<void> ping() override;
  Time now() override;
  [[nodiscard]] Failure failure() const override { return failure_; }
  [[nodiscard]] bool is_lost() override;

  /// Runs statements of our own without parameters, one after the other, in one round trip; the
  /// first value of the last one's first row.
  Result<std::string> run(std::string_view sql);
  [[nodiscard]] bool is_mariadb() const { return mariadb_; }
  /// The engine's number for what the last statement failed of.
  [[nodiscard]] unsigned error_number() const { return error_number_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Close {
    void operator()(st_mysql_stmt* statement) const;
  };
  struct Prepared {
    std::unique_ptr<st_mysql_stmt, Close> statement;
    std::vector<std::uint16_t> order;  ///< Which parameter each placeholder takes.
    std::size_t parameters = 0;        ///< As the portable text has them.
  };
  using Statements = std::unordered_map<std::string, Prepared, TextHash, std::equal_to<>>;

  MysqlConnection(st_mysql* handle, const ServerOptions& options)
      : handle_(handle), options_(options) {}
  Result<void> reach();
  Result<void> check_server();
  Result<void> prepare_session();
  Result<Prepared*> prepare(std::string_view sql);
  /// Runs a statement and takes what it answers; the statement for its counters.
  Result<st_mysql_stmt*> query(std::string_view sql, Params params, MysqlRows& rows);
  Error failed(unsigned number, std::string_view message);
  Error failed_in(st_mysql_stmt* statement, std::string_view sql);
  Error lost(std::string_view why);

  st_mysql* handle_;
  const ServerOptions options_;
  Statements prepared_;
  Failure failure_ = Failure::kNone;
  unsigned error_number_ = 0;
  bool lost_ = false;
  bool mariadb_ = false;
  bool in_transaction_ = false;
  ServerClock server_clock_;
};

}  // namespace roadstead::db::internal
