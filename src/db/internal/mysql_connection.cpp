#include "db/internal/mysql_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include <errmsg.h>
#include <fmt/format.h>
#include <mysql.h>
#include <mysqld_error.h>

#include "db/internal/mysql_errors.h"
#include "db/internal/mysql_url.h"
#include "db/internal/mysql_values.h"
#include "db/internal/portable_sql.h"
#include "db/migration.h"

namespace roadstead::db::internal {
namespace {

constexpr unsigned kConnectSeconds = 3;
// As for SQLite: more texts than this means that one is built from data.
constexpr std::size_t kStatementsMax = 512;
/// A lock that is not given by then is somebody's who sleeps, or a deadlock that nobody looks for.
constexpr std::int64_t kLockSecondsMax = 5;

constexpr unsigned long kOldestMysql = 80'017;     // 8.0.17, the first with utf8mb4_0900_bin
constexpr unsigned long kOldestMariadb = 100'600;  // 10.6.0

// The session's time zone is UTC, where no hour comes twice.
constexpr std::string_view kReadClock = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";

Error unavailable(std::string_view why) {
  return Error{Code::kUnavailable, Subject::kDatabase, fmt::format("database: {}", why), {}};
}

void set_text(MYSQL* handle, mysql_option option, const std::string& value) {
  if (!value.empty()) {
    mysql_options(handle, option, value.c_str());
  }
}

void set_up(MYSQL* handle, const MysqlAddress& address, std::chrono::seconds statement_time) {
  const unsigned connect = kConnectSeconds;
  // The server's own limit ends a statement; ours is for a server that does not answer at all.
  const auto answer = static_cast<unsigned>(statement_time.count() + 1);
  const unsigned off = 0;
  mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
  mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer);
  mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer);
  // A server could otherwise ask for files of ours.
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &off);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  // Otherwise "localhost" would be a socket at a place that only the library knows.
  const unsigned protocol = address.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_optionsv(handle, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "roadstead");
  set_text(handle, MYSQL_SERVER_PUBLIC_KEY, address.server_public_key);
  const my_bool encrypted = address.tls != MysqlAddress::Tls::kNone ? 1 : 0;
  const my_bool verified = address.tls == MysqlAddress::Tls::kVerified ? 1 : 0;
  set_text(handle, MYSQL_OPT_SSL_CA, address.tls_authority);
  set_text(handle, MYSQL_OPT_SSL_CERT, address.tls_certificate);
  set_text(handle, MYSQL_OPT_SSL_KEY, address.tls_key);
  mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &encrypted);
  mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verified);
}

/// The library's own start is not safe among threads.
bool start_library() {
  static std::once_flag once;
  static bool started = false;
  std::call_once(once, [] { started = mysql_library_init(0, nullptr, nullptr) == 0; });
  return started;
}

}  // namespace

void MysqlConnection::Close::operator()(st_mysql_stmt* statement) const {
  mysql_stmt_close(statement);
}

Result<std::unique_ptr<ServerConnection>> MysqlConnection::open(const ServerOptions& options) {
  return std::unique_ptr<ServerConnection>(TRY(connect(options)));
}

Result<std::unique_ptr<MysqlConnection>> MysqlConnection::connect(const ServerOptions& options) {
  MYSQL* const handle = start_library() ? mysql_init(nullptr) : nullptr;
  if (handle == nullptr) {
    return unavailable("out of memory");
  }
  std::unique_ptr<MysqlConnection> connection(new MysqlConnection(handle, options));
  TRY(connection->reach());
  TRY(connection->check_server());
  TRY(connection->prepare_session());
  TRY(connection->ping());
  return connection;
}

MysqlConnection::~MysqlConnection() {
  if (lost_) {
    // Whoever does not answer is not told goodbye either: that would wait for it.
    ::shutdown(static_cast<int>(mysql_get_socket(handle_)), SHUT_RDWR);
  }
  prepared_.clear();
  mysql_close(handle_);
}

Result<void> MysqlConnection::reach() {
  const MysqlAddress address = TRY(parse_mysql_url(options_.url));
  set_up(handle_, address, options_.statement_time);
  const bool local = !address.socket.empty();
  // Only constants of ours are several statements at once; all else is prepared, which takes one.
  const unsigned long flags = CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS;
  if (mysql_real_connect(handle_, local ? "localhost" : address.host.c_str(), address.user.c_str(),
                         address.password.c_str(), address.database.c_str(),
                         local ? 0 : address.port, local ? address.socket.c_str() : nullptr,
                         flags) == nullptr) {
    return lost(mysql_error(handle_));
  }
  return {};
}

Result<void> MysqlConnection::check_server() {
  mariadb_ = mariadb_connection(handle_) != 0;
  const unsigned long version = mysql_get_server_version(handle_);
  if (version < (mariadb_ ? kOldestMariadb : kOldestMysql)) {
    return Error{Code::kPrecondition,
                 Subject::kDatabase,
                 fmt::format("MySQL 8.0.17 or MariaDB 10.6, or newer, is needed; the server is {}",
                             mysql_get_server_info(handle_)),
                 {}};
  }
  return {};
}

Result<void> MysqlConnection::prepare_session() {
  const std::int64_t seconds = options_.statement_time.count();
  const std::int64_t lock_seconds = std::clamp<std::int64_t>(seconds / 6, 1, kLockSecondsMax);
  std::string sql = fmt::format(
      "SET NAMES utf8mb4 COLLATE {};SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,"
      "ONLY_FULL_GROUP_BY,ERROR_FOR_DIVISION_BY_ZERO,ANSI_QUOTES,PIPES_AS_CONCAT,"
      "NO_BACKSLASH_ESCAPES', time_zone = '+00:00', autocommit = 1, "
      "innodb_lock_wait_timeout = {};"
      "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;",
      mysql_collation(mariadb_), lock_seconds);
  sql += mariadb_ ? fmt::format("SET max_statement_time = {}", seconds)
                  : fmt::format("SET max_execution_time = {}, information_schema_stats_expiry = 0",
                                seconds * 1000);
  TRY(run(sql));
  return {};
}

Error MysqlConnection::lost(std::string_view why) {
  lost_ = true;
  failure_ = Failure::kLost;
  return unavailable(why.empty() ? "connection lost" : why);
}

Error MysqlConnection::failed(unsigned number, std::string_view message) {
  const MysqlMeaning meaning = mysql_meaning(number, message);
  error_number_ = number;
  failure_ = meaning.failure;
  lost_ = lost_ || meaning.failure == Failure::kLost;
  return mysql_failure(meaning, number, message);
}

Error MysqlConnection::failed_in(st_mysql_stmt* statement, std::string_view sql) {
  // What fails while rows come in is only known to the connection.
  const bool here = mysql_stmt_errno(statement) != 0;
  Error error = failed(here ? mysql_stmt_errno(statement) : mysql_errno(handle_),
                       here ? mysql_stmt_error(statement) : mysql_error(handle_));
  if (error.code == Code::kInternal) {
    error.message += fmt::format(" in: {}", sql.substr(0, 200));
  }
  return error;
}

Result<std::string> MysqlConnection::run(std::string_view sql) {
  if (lost_) {
    return lost("connection lost");
  }
  count_statement();
  count_round_trip();
  failure_ = Failure::kNone;
  std::string value;
  int more = mysql_real_query(handle_, sql.data(), sql.size());
  while (more == 0) {
    if (MYSQL_RES* const result = mysql_store_result(handle_); result != nullptr) {
      const MYSQL_ROW row = mysql_fetch_row(result);
      value = row != nullptr && row[0] != nullptr ? row[0] : "";
      mysql_free_result(result);
    } else if (mysql_errno(handle_) != 0) {
      break;
    }
    more = mysql_next_result(handle_);
  }
  if (mysql_errno(handle_) != 0) {
    return failed(mysql_errno(handle_), mysql_error(handle_));
  }
  return value;
}

Result<MysqlConnection::Prepared*> MysqlConnection::prepare(std::string_view sql) {
  if (const auto found = prepared_.find(sql); found != prepared_.end()) {
    return &found->second;
  }
  if (prepared_.size() >= kStatementsMax) {
    prepared_.clear();
  }
  MysqlSql rendered = render_mysql(sql);
  Prepared prepared;
  prepared.statement.reset(mysql_stmt_init(handle_));
  if (prepared.statement == nullptr) {
    return unavailable("out of memory");
  }
  MYSQL_STMT* const statement = prepared.statement.get();
  const auto prepare_it = [&] {
    return mysql_stmt_prepare(statement, rendered.text.data(), rendered.text.size()) == 0;
  };
  bool done = prepare_it();
  if (!done && mysql_stmt_errno(statement) == ER_MAX_PREPARED_STMT_COUNT_REACHED) {
    // All connections of the server share that number: those we remember are the ones to give up.
    prepared_.clear();
    done = prepare_it();
  }
  if (!done) {
    return failed_in(statement, sql);
  }
  prepared.order = std::move(rendered.order);
  prepared.parameters = rendered.parameters;
  return &prepared_.emplace(std::string(sql), std::move(prepared)).first->second;
}

Result<st_mysql_stmt*> MysqlConnection::query(std::string_view sql, Params params,
                                              MysqlRows& rows) {
  if (lost_) {
    return lost("connection lost");
  }
  if (!options_.prepared_statements) {
    prepared_.clear();
  }
  count_statement();
  count_round_trip();
  failure_ = Failure::kNone;
  error_number_ = 0;
  Prepared& prepared = *TRY(prepare(sql));
  MYSQL_STMT* const statement = prepared.statement.get();
  if (params.size() != prepared.parameters ||
      mysql_stmt_param_count(statement) != prepared.order.size()) {
    failure_ = Failure::kOther;
    return Error{Code::kInternal,
                 Subject::kDatabase,
                 fmt::format("database: {} parameters for {} in: {}", params.size(),
                             prepared.parameters, sql.substr(0, 200)),
                 {}};
  }
  MysqlParams bound(params, prepared.order);
  if (!bound.bind_to(statement) || mysql_stmt_execute(statement) != 0 || !rows.fetch(statement)) {
    return failed_in(statement, sql);
  }
  return statement;
}

Result<void> MysqlConnection::each(std::string_view sql, Params params,
                                   const std::function<bool(const Row&)>& row) {
  MysqlRows rows;
  TRY(query(sql, params, rows));
  for (std::size_t i = 0; i < rows.count(); ++i) {
    rows.move_to(i);
    if (!row(rows)) {
      break;
    }
  }
  return {};
}

Result<std::int64_t> MysqlConnection::execute(std::string_view sql, Params params) {
  MysqlRows rows;
  MYSQL_STMT* const statement = TRY(query(sql, params, rows));
  if (rows.count() > 0) {
    return 0;
  }
  return static_cast<std::int64_t>(mysql_stmt_affected_rows(statement));
}

Result<std::int64_t> MysqlConnection::insert(std::string_view sql, Params params) {
  MysqlRows rows;
  MYSQL_STMT* const statement = TRY(query(sql, params, rows));
  if (mysql_stmt_affected_rows(statement) != 1) {
    failure_ = Failure::kOther;
    return Error{
        Code::kInternal, Subject::kDatabase, "database: insert() of not exactly one row", {}};
  }
  return static_cast<std::int64_t>(mysql_stmt_insert_id(statement));
}

Result<void> MysqlConnection::begin_read() {
  TRY(
      run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
          "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"));
  in_transaction_ = true;
  return {};
}

Result<void> MysqlConnection::begin_write(bool /*durable*/) {
  // How soon a commit reaches the disk is a setting of the whole server.
  const std::string micros = TRY(run(fmt::format("START TRANSACTION;{}", kReadClock)));
  in_transaction_ = true;
  server_clock_.set(micros);
  return {};
}

Result<void> MysqlConnection::commit() {
  TRY(run("COMMIT"));
  in_transaction_ = false;
  return {};
}

void MysqlConnection::rollback() {
  const Failure why = failure_;
  if (!lost_ && !run("ROLLBACK")) {
    lost_ = true;
  }
  in_transaction_ = false;
  failure_ = why;
}

Result<void> MysqlConnection::ping() {
  const std::string micros = TRY(run(kReadClock));
  server_clock_.set(micros);
  return {};
}

Time MysqlConnection::now() {
  // A write reads the server's clock anyway; what only reads asks now and then.
  if (server_clock_.stale() && !in_transaction_) {
    static_cast<void>(ping());
  }
  return server_clock_.now();
}

bool MysqlConnection::is_lost() {
  if (!lost_) {
    // A server that has something to say without being asked says goodbye.
    pollfd waiting{static_cast<int>(mysql_get_socket(handle_)), POLLIN, 0};
    lost_ = ::poll(&waiting, 1, 0) != 0;
  }
  return lost_;
}

}  // namespace roadstead::db::internal
