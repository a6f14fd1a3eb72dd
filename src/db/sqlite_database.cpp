#include <atomic>
#include <utility>

#include "db/internal/sqlite_checkpointer.h"
#include "db/internal/sqlite_connection.h"
#include "db/internal/sqlite_readers.h"
#include "db/internal/sqlite_session.h"
#include "db/internal/sqlite_writer.h"
#include "db/migration.h"
#include "db/sqlite.h"
#include "sys/file.h"

namespace roadstead::db {
namespace {

using internal::SqliteCheckpointer;
using internal::SqliteConnection;
using internal::SqliteReaders;
using internal::SqliteSession;
using internal::SqliteWriter;
using Access = SqliteConnection::Access;

/// Ends the read transaction of a connection however the function is left.
class ReadTransaction {
 public:
  static Result<void> begin(SqliteConnection& connection) { return connection.run("BEGIN"); }
  explicit ReadTransaction(SqliteConnection& connection) : connection_(connection) {}
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;
  ~ReadTransaction() {
    // Nothing was changed, so there is nothing that could fail to commit.
    if (connection_.in_transaction()) {
      static_cast<void>(connection_.run("COMMIT"));
    }
  }

 private:
  SqliteConnection& connection_;
};

// While a checkpoint waits for readers it holds the writer, so it gives up early and tries again.
constexpr std::chrono::milliseconds kCheckpointWait{100};

SqliteConnection::Options connection_options(const SqliteOptions& options, Access access) {
  return {.path = options.path,
          .vfs = options.vfs,
          .access = access,
          .wal_size_max = options.wal_size_max};
}

Result<std::unique_ptr<SqliteConnection>> open_for_checkpoints(const SqliteOptions& options) {
  auto settings = connection_options(options, Access::kWrite);
  settings.busy_wait = kCheckpointWait;
  return SqliteConnection::open(settings);
}

void report_commits(SqliteConnection& writer, SqliteCheckpointer& checkpointer) {
  writer.on_commit([&checkpointer](std::uint64_t wal_pages) { checkpointer.committed(wal_pages); });
}

Result<void> apply_migrations(SqliteConnection& connection, const Clock& clock,
                              const log::Logger& logger) {
  TRY(connection.run("BEGIN IMMEDIATE"));
  SqliteSession session(connection, clock);
  const Result<int> applied = migrate(session, embedded_migrations(), sqlite_dialect());
  if (!applied) {
    if (connection.in_transaction()) {
      TRY(connection.run("ROLLBACK"));
    }
    return applied.error();
  }
  TRY(connection.run("COMMIT"));
  if (*applied > 0) {
    logger.info("database schema updated", {{"migrations", *applied}});
  }
  return {};
}

Result<void> sync_copy(const std::filesystem::path& path) {
  auto file = TRY(sys::File::open(path, sys::File::Mode::kReadWrite));
  TRY(file.sync_data());
  return sys::sync_directory(path.parent_path());
}

class SqliteDatabaseImpl final : public SqliteDatabase {
 public:
  SqliteDatabaseImpl(const SqliteOptions& options, const Clock& clock, log::Logger logger,
                     std::unique_ptr<SqliteConnection> writer,
                     std::unique_ptr<SqliteCheckpointer> checkpointer)
      : clock_(clock),
        source_(connection_options(options, Access::kRead)),
        checkpointer_(std::move(checkpointer)),
        writer_(std::move(writer), clock, logger,
                {.queue_max = options.write_queue_max,
                 .batch_max = options.batch_max,
                 .wait_max = options.write_wait_max,
                 .before_transaction = [this] { checkpointer_->give_way(); }}),
        readers_([settings = connection_options(
                      options, Access::kRead)] { return SqliteConnection::open(settings); },
                 options.readers_max) {}

  [[nodiscard]] bool reads_are_local() const override { return true; }
  Result<void> ping() override;
  [[nodiscard]] Statistics statistics() const override;
  Result<void> copy_to(const std::filesystem::path& path) override;

 protected:
  Result<void> run_read(const std::function<Result<void>(ReadSession&)>& fn,
                        Snapshot snapshot) override;
  Result<void> run_write(const std::function<Result<void>(WriteSession&)>& fn,
                         Durability durability) override {
    return writer_.run(fn, durability);
  }

 private:
  class Reader;
  void return_reader(std::unique_ptr<SqliteConnection> connection);

  const Clock& clock_;
  const SqliteConnection::Options source_;  ///< Of connections that make copies.
  std::atomic<std::uint64_t> read_sessions_ = 0;
  std::atomic<std::uint64_t> read_statements_ = 0;
  std::unique_ptr<SqliteCheckpointer> checkpointer_;
  SqliteWriter writer_;  // Gone before the checkpointer that it reports to.
  // Gone before the connections that may write: the last one to close moves the log into the file
  // and removes it, which a reader cannot do.
  SqliteReaders readers_;
};

/// A connection out of the pool for the time of one session.
class SqliteDatabaseImpl::Reader {
 public:
  Reader(SqliteDatabaseImpl& owner, std::unique_ptr<SqliteConnection> connection)
      : owner_(owner), connection_(std::move(connection)) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { owner_.return_reader(std::move(connection_)); }
  [[nodiscard]] SqliteConnection& connection() const { return *connection_; }

 private:
  SqliteDatabaseImpl& owner_;
  std::unique_ptr<SqliteConnection> connection_;
};

void SqliteDatabaseImpl::return_reader(std::unique_ptr<SqliteConnection> connection) {
  read_sessions_.fetch_add(1, std::memory_order_relaxed);
  read_statements_.fetch_add(connection->take_statement_count(), std::memory_order_relaxed);
  if (!connection->in_transaction()) {
    readers_.give_back(std::move(connection));
  }
  // Otherwise it could not even end its transaction: better a new one.
}

Result<void> SqliteDatabaseImpl::run_read(const std::function<Result<void>(ReadSession&)>& fn,
                                          Snapshot snapshot) {
  CHECK(!writer_.is_current_thread());  // A write function reads through its own session.
  const Reader reader(*this, TRY(readers_.take()));
  SqliteConnection& connection = reader.connection();
  if (snapshot == Snapshot::kStatement) {
    SqliteSession session(connection, clock_, 1);
    return fn(session);
  }
  TRY(ReadTransaction::begin(connection));
  const ReadTransaction transaction(connection);
  SqliteSession session(connection, clock_);
  return fn(session);
}

Result<void> SqliteDatabaseImpl::ping() {
  return read_once([](ReadSession& session) {
    return session.each("SELECT 1 FROM schema_version LIMIT 1", {},
                        [](const Row&) { return false; });
  });
}

Result<void> SqliteDatabaseImpl::copy_to(const std::filesystem::path& path) {
  // A connection of its own: it reads every page once, which would empty the cache of another.
  const auto source = TRY(SqliteConnection::open(source_));
  TRY(ReadTransaction::begin(*source));
  const ReadTransaction transaction(*source);
  // The transaction begins with its first read.
  TRY(source->run("SELECT 1 FROM schema_version LIMIT 1"));
  Result<void> copied = source->copy_to(path);
  if (!copied && copied.error().code == Code::kConflict) {
    return copied;
  }
  if (copied) {
    copied = sync_copy(path);
  }
  if (!copied) {
    static_cast<void>(sys::remove(path));  // The first error is the one to tell.
  }
  return copied;
}

Statistics SqliteDatabaseImpl::statistics() const {
  return {.commits = writer_.commits(),
          .write_functions = writer_.functions(),
          .read_sessions = read_sessions_,
          .statements = read_statements_ + writer_.statements(),
          .wal_cuts = checkpointer_->cuts(),
          .write_queue_length = writer_.queued(),
          .wal_bytes = checkpointer_->wal_bytes()};
}

}  // namespace

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const SqliteOptions& options,
                                                             const Clock& clock,
                                                             log::Logger logger) {
  auto writer = TRY(SqliteConnection::open(connection_options(options, Access::kWrite)));
  if (options.migrate) {
    TRY(apply_migrations(*writer, clock, logger));
  }
  auto checkpointer = std::make_unique<SqliteCheckpointer>(TRY(open_for_checkpoints(options)),
                                                           options.wal_size_max, logger);
  report_commits(*writer, *checkpointer);
  return std::unique_ptr<SqliteDatabase>(std::make_unique<SqliteDatabaseImpl>(
      options, clock, logger, std::move(writer), std::move(checkpointer)));
}

Result<void> read_sqlite_file(const std::filesystem::path& path, const Clock& clock,
                              const std::function<Result<void>(ReadSession&)>& fn) {
  const auto connection = TRY(SqliteConnection::open({.path = path, .access = Access::kFrozen}));
  TRY(ReadTransaction::begin(*connection));
  const ReadTransaction transaction(*connection);
  SqliteSession session(*connection, clock);
  return fn(session);
}

Result<void> check_sqlite_file(const std::filesystem::path& path) {
  const auto connection = TRY(SqliteConnection::open({.path = path, .access = Access::kFrozen}));
  std::string verdict;
  TRY(connection->each("PRAGMA integrity_check(1)", {}, [&](const Row& row) {
    verdict = row.text(0);
    return false;
  }));
  if (verdict != "ok") {
    return Error{Code::kInvalid, Subject::kDatabase, path.string() + " is damaged: " + verdict, {}};
  }
  return {};
}

}  // namespace roadstead::db
