#include "db/internal/sqlite_connection.h"

#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "db/internal/portable_sql.h"
#include "db/internal/sqlite_log_vfs.h"
#include "sys/file.h"

namespace roadstead::db::internal {
namespace {

// A capability has some dozens of statements; more texts than this means that one is built from
// data.
constexpr std::size_t kStatementsMax = 512;

/// The current row of a stepped statement.
class StatementRow final : public Row {
 public:
  explicit StatementRow(sqlite3_stmt* statement)
      : statement_(statement), columns_(sqlite3_column_count(statement)) {}

  [[nodiscard]] bool is_null(int column) const override {
    return sqlite3_column_type(statement_, checked(column)) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int column) const override {
    return sqlite3_column_int64(statement_, checked(column));
  }
  [[nodiscard]] std::string_view text(int column) const override {
    // _blob and not _text: the same bytes without the copy that appends a zero.
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, checked(column)));
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string_view()
                           : std::string_view(data, static_cast<std::size_t>(size));
  }

 private:
  [[nodiscard]] int checked(int column) const {
    CHECK(column >= 0 && column < columns_);
    return column;
  }
  sqlite3_stmt* statement_;
  int columns_;
};

/// Binds one parameter; views are not copied, since the statement is reset before they die.
struct Binder {
  sqlite3_stmt* statement;
  int position;

  int operator()(std::monostate) const { return sqlite3_bind_null(statement, position); }
  int operator()(std::int64_t number) const {
    return sqlite3_bind_int64(statement, position, number);
  }
  int operator()(std::string_view text) const {
    // A null pointer would bind NULL, and an empty view may hold one.
    const char* data = text.data() == nullptr ? "" : text.data();
    return sqlite3_bind_text64(statement, position, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(std::span<const std::byte> bytes) const {
    if (bytes.empty()) {
      return sqlite3_bind_zeroblob(statement, position, 0);
    }
    return sqlite3_bind_blob64(statement, position, bytes.data(), bytes.size(), SQLITE_STATIC);
  }
};

Code code_of(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return Code::kConflict;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

Error error_of(int extended, std::string_view message) {
  const Code code = code_of(extended);
  Error error{code, Subject::kDatabase, fmt::format("database: {} ({})", message, extended), {}};
  if (code == Code::kConflict) {
    error.detail = message;
  }
  return error;
}

/// The library's own figures are not used, and keeping them takes a global lock per allocation.
void configure_library() {
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

/// Creates the file as 0600; the engine gives its companions (-wal, -shm) the same mode.
Result<void> create_private(const std::filesystem::path& path) {
  const auto file = sys::File::open(path, sys::File::Mode::kCreateNew);
  if (!file && file.error().code != Code::kConflict) {
    return file.error();
  }
  return {};
}

/// Names the file to SQLite as one that does not change: it then neither locks it nor looks for a
/// log beside it.
std::string frozen_uri(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

/// A statement taken from the cache, or a temporary one when the cached one is being stepped.
class SqliteConnection::Lease {
 public:
  Lease(sqlite3_stmt* statement, Prepared* cached) : statement_(statement), cached_(cached) {
    if (cached_ != nullptr) {
      cached_->busy = true;
    }
  }
  Lease(Lease&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)), cached_(other.cached_) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (statement_ == nullptr) {
      return;
    }
    if (cached_ == nullptr) {
      sqlite3_finalize(statement_);
      return;
    }
    sqlite3_reset(statement_);
    cached_->busy = false;
  }
  [[nodiscard]] sqlite3_stmt* get() const { return statement_; }

 private:
  sqlite3_stmt* statement_;
  Prepared* cached_;
};

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const Options& options) {
  CHECK(sqlite3_threadsafe() != 0);
  configure_library();
  const bool write = options.access == Access::kWrite;
  if (write) {
    TRY(create_private(options.path));
  }
  if (options.access == Access::kFrozen) {
    return open_frozen(options);
  }
  sqlite3* handle = nullptr;
  // unix-excl: one process owns the file and holds its lock, so the locks and the index of the
  // write-ahead log live in memory: two system calls less for each read transaction.
  // NOMUTEX: one thread at a time uses a connection, so its own lock would only cost.
  const int flags = (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  const std::string vfs = log_vfs(options.vfs.empty() ? "unix-excl" : options.vfs);
  const int code = sqlite3_open_v2(options.path.c_str(), &handle, flags, vfs.c_str());
  if (handle == nullptr) {
    return error_of(SQLITE_NOMEM, sqlite3_errstr(SQLITE_NOMEM));
  }
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(handle));
  if (code != SQLITE_OK) {
    return connection->error(code);
  }
  TRY(connection->configure(options));
  return connection;
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open_frozen(const Options& options) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(frozen_uri(options.path).c_str(), &handle, flags, "unix");
  if (handle == nullptr) {
    return error_of(SQLITE_NOMEM, sqlite3_errstr(SQLITE_NOMEM));
  }
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(handle));
  if (code != SQLITE_OK) {
    return connection->error(code);
  }
  TRY(connection->configure(options));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (auto& [sql, prepared] : statements_) {
    sqlite3_finalize(prepared.statement);
  }
  CHECK(sqlite3_close(handle_) == SQLITE_OK);
}

Result<void> SqliteConnection::configure(const Options& options) {
  sqlite3_busy_timeout(handle_, static_cast<int>(options.busy_wait.count()));
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // "x" is a name and never a string, so that a typing error cannot turn into a value.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_limit(handle_, SQLITE_LIMIT_ATTACHED, 0);
  const auto pragma = [this](const std::string& text) -> Result<void> {
    const int code = sqlite3_exec(handle_, ("PRAGMA " + text).c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Result<void>() : error(code);
  };
  TRY(pragma("foreign_keys=ON"));
  TRY(pragma("temp_store=MEMORY"));
  TRY(pragma("mmap_size=0"));
  if (options.access != Access::kWrite) {
    // A commit of anybody empties this cache and the kernel keeps the pages anyway, so a larger one
    // costs memory per thread and gains little. Enough for some hundred tags among a million.
    return pragma("cache_size=-4096");
  }
  TRY(pragma("cache_size=-8192"));
  TRY(pragma("journal_mode=WAL"));
  TRY(pragma("synchronous=FULL"));
  TRY(pragma("secure_delete=FAST"));
  TRY(pragma("wal_autocheckpoint=0"));
  return pragma(fmt::format("journal_size_limit={}", options.wal_size_max / 4));
}

Error SqliteConnection::error(int code) const {
  // The generic text when the connection has moved on to another result meanwhile.
  const bool current = (sqlite3_errcode(handle_) & 0xff) == (code & 0xff);
  return error_of(code, current ? sqlite3_errmsg(handle_) : sqlite3_errstr(code));
}

Result<sqlite3_stmt*> SqliteConnection::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  sql = take_apart(sql).body;  // One writer: a row needs no lock of its own.
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, &rest);
  if (code != SQLITE_OK) {
    Error failure = error(code);
    failure.message += fmt::format(" in: {}", sql.substr(0, 200));
    return failure;
  }
  const std::string_view tail(rest, static_cast<std::size_t>(sql.data() + sql.size() - rest));
  if (statement == nullptr || tail.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement);
    return Error{Code::kInternal,
                 Subject::kDatabase,
                 fmt::format("database: not exactly one statement: {}", sql.substr(0, 200)),
                 {}};
  }
  return statement;
}

Result<SqliteConnection::Lease> SqliteConnection::lease(std::string_view sql) {
  ++statement_count_;
  Prepared& prepared = *TRY(find_or_prepare(sql));
  if (!prepared.busy) {
    return Lease(prepared.statement, &prepared);
  }
  return Lease(TRY(prepare(sql)), nullptr);
}

Result<SqliteConnection::Prepared*> SqliteConnection::find_or_prepare(std::string_view sql) {
  Guess& guess = guesses_[(reinterpret_cast<std::uintptr_t>(sql.data()) >> 4U) % kGuesses];
  if (guess.text == sql.data() && guess.statement->first == sql) {
    return &guess.statement->second;
  }
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* const statement = TRY(prepare(sql));
    if (statements_.size() >= kStatementsMax) {
      forget_idle_statements();
    }
    found = statements_.emplace(std::string(sql), Prepared{statement}).first;
  }
  // Of the text its address only.
  guess = {sql.data(), &*found};  // NOLINT(bugprone-suspicious-stringview-data-usage)
  return &found->second;
}

void SqliteConnection::forget_idle_statements() {
  guesses_ = {};
  std::erase_if(statements_, [](const auto& entry) {
    if (entry.second.busy) {
      return false;
    }
    sqlite3_finalize(entry.second.statement);
    return true;
  });
}

Result<void> SqliteConnection::bind(sqlite3_stmt* statement, Params params) const {
  if (sqlite3_bind_parameter_count(statement) != static_cast<int>(params.size())) {
    return Error{
        Code::kInternal,
        Subject::kDatabase,
        fmt::format("database: {} parameters for: {:.200}", params.size(), sqlite3_sql(statement)),
        {}};
  }
  int position = 0;
  for (const Param& param : params) {
    const int code = std::visit(Binder{statement, ++position}, param.get());
    if (code != SQLITE_OK) {
      return error(code);
    }
  }
  return {};
}

Result<void> SqliteConnection::each(std::string_view sql, Params params,
                                    const std::function<bool(const Row&)>& row) {
  const Lease statement = TRY(lease(sql));
  TRY(bind(statement.get(), params));
  const StatementRow current(statement.get());
  for (;;) {
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_DONE) {
      return {};
    }
    if (code != SQLITE_ROW) {
      return error(code);
    }
    if (!row(current)) {
      return {};
    }
  }
}

Result<std::int64_t> SqliteConnection::execute(std::string_view sql, Params params) {
  const Lease statement = TRY(lease(sql));
  TRY(bind(statement.get(), params));
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) {
    code = sqlite3_step(statement.get());
  }
  if (code != SQLITE_DONE) {
    return error(code);
  }
  return sqlite3_changes64(handle_);
}

Result<void> SqliteConnection::run(std::string_view sql) {
  TRY(execute(sql, {}));
  return {};
}

std::int64_t SqliteConnection::last_insert_id() const {
  return sqlite3_last_insert_rowid(handle_);
}

bool SqliteConnection::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

void SqliteConnection::on_commit(std::function<void(std::uint64_t)> hook) {
  commit_hook_ = std::move(hook);
  const auto call = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<SqliteConnection*>(self)->commit_hook_(static_cast<std::uint64_t>(pages));
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_, call, this);
}

std::uint64_t SqliteConnection::take_statement_count() {
  return std::exchange(statement_count_, 0);
}

}  // namespace roadstead::db::internal
