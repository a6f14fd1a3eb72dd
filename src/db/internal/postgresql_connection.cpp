#include "db/internal/postgresql_connection.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "db/internal/portable_sql.h"
#include "db/internal/postgresql_values.h"

namespace roadstead::db::internal {
namespace {

constexpr std::chrono::seconds kConnectTime{3};
constexpr int kOldestVersion = 120'000;  // 12.0
// As for SQLite: more texts than this means that one is built from data.
constexpr std::size_t kStatementsMax = 512;

/// What execute_later() lets wait.
constexpr std::size_t kSentMax = 64;

constexpr std::string_view kReadClock =
    "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint";

/// What the code of an error (SQLSTATE) says of the transaction and to the caller.
struct Meaning {
  Failure failure;
  Code code;
};
Meaning meaning_of(std::string_view state) {
  if (state == "40001" || state == "40P01") {
    return {Failure::kConflict, Code::kUnavailable};
  }
  if (state == "23505" || state == "23503") {
    return {Failure::kViolation, Code::kConflict};
  }
  if (state == "08P01") {  // Too many parameters, or too few.
    return {Failure::kOther, Code::kInternal};
  }
  // The server shuts down, starts, has become a standby, or lost what we prepared (a pooler).
  if (state.starts_with("08") || state.starts_with("57P") || state == "25006" || state == "26000" ||
      state == "0A000") {
    return {Failure::kLost, Code::kUnavailable};
  }
  if (state == "57014" || state == "55P03" || state.starts_with("53")) {
    return {Failure::kOther, Code::kUnavailable};
  }
  if (state == "22021" || state == "22P05" || state == "22001") {
    return {Failure::kOther, Code::kInvalid};
  }
  return {Failure::kOther, Code::kInternal};
}

bool succeeded(const pg_result* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

std::string_view one_line(const char* text) {
  std::string_view line(text == nullptr ? "" : text);
  line = line.substr(0, line.find('\n'));
  return line;
}

Error unavailable(std::string_view why) {
  return Error{Code::kUnavailable, Subject::kDatabase, fmt::format("database: {}", why), {}};
}

/// Which one it was matters when the statement itself is wrong.
Error naming_statement(Error error, std::string_view sql) {
  if (error.code == Code::kInternal) {
    error.message += fmt::format(" in: {}", sql.substr(0, 200));
  }
  return error;
}

/// Settings beside those of the URL, which wins.
Result<std::vector<std::pair<std::string, std::string>>> connection_settings(
    const std::string& url) {
  char* problem = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(url.c_str(), &problem);
  if (parsed == nullptr) {
    const std::string why(one_line(problem));
    PQfreemem(problem);
    // libpq may quote the URL, which holds a password.
    return Error{Code::kInvalid,
                 Subject::kDatabase,
                 "the database URL is not one that PostgreSQL's library understands" +
                     (why.find("URI query parameter") != std::string::npos ? ": " + why : ""),
                 {}};
  }
  std::vector<std::pair<std::string, std::string>> settings = {
      {"client_encoding", "UTF8"}, {"fallback_application_name", "roadstead"},
      {"keepalives_idle", "30"},   {"keepalives_interval", "5"},
      {"keepalives_count", "3"},   {"tcp_user_timeout", "15000"}};
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) {
      settings.emplace_back(option->keyword, option->val);
    }
  }
  PQconninfoFree(parsed);
  return settings;
}

}  // namespace

void PostgresqlConnection::FreeResult::operator()(pg_result* result) const {
  PQclear(result);
}

Result<std::unique_ptr<ServerConnection>> PostgresqlConnection::open(const ServerOptions& options) {
  const auto settings = TRY(connection_settings(options.url));
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : settings) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* const handle = PQconnectStartParams(keywords.data(), values.data(), 0);
  if (handle == nullptr) {
    return unavailable("out of memory");
  }
  std::unique_ptr<PostgresqlConnection> connection(new PostgresqlConnection(handle, options));
  TRY(connection->connect(Clock::now() + kConnectTime));
  TRY(connection->check_server());
  return std::unique_ptr<ServerConnection>(std::move(connection));
}

PostgresqlConnection::~PostgresqlConnection() {
  PQfinish(handle_);
}

Result<void> PostgresqlConnection::connect(Clock::time_point deadline) {
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED || PQstatus(handle_) == CONNECTION_BAD) {
      return lost(one_line(PQerrorMessage(handle_)));
    }
    TRY(wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
    status = PQconnectPoll(handle_);
  }
  PQsetnonblocking(handle_, 1);
  PQsetNoticeProcessor(handle_, [](void*, const char*) {}, nullptr);
  return {};
}

Result<void> PostgresqlConnection::check_server() {
  if (PQserverVersion(handle_) < kOldestVersion) {
    return Error{Code::kPrecondition,
                 Subject::kDatabase,
                 fmt::format("PostgreSQL 12 or newer is needed; the server is {}",
                             PQparameterStatus(handle_, "server_version")),
                 {}};
  }
  // A pooler may refuse settings at the start of a connection, and forgets later ones.
  if (options_.prepared_statements) {
    TRY(run(fmt::format("SET statement_timeout = {}", options_.statement_time.count() * 1000)));
  }
  return ping();
}

Error PostgresqlConnection::lost(std::string_view why) {
  lost_ = true;
  failure_ = Failure::kLost;
  return unavailable(why.empty() ? "connection lost" : why);
}

Error PostgresqlConnection::failed(const pg_result* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state == nullptr) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  const Meaning meaning = meaning_of(state);
  failure_ = meaning.failure;
  lost_ = lost_ || meaning.failure == Failure::kLost;
  const char* constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
  Error error{meaning.code,
              Subject::kDatabase,
              fmt::format("database: {} ({})",
                          one_line(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)), state),
              {}};
  if (meaning.code == Code::kConflict && constraint != nullptr) {
    error.detail = constraint;
  }
  return error;
}

Result<void> PostgresqlConnection::wait(short events, Clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      return lost("the server did not answer in time");
    }
    pollfd waiting{PQsocket(handle_), events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready > 0) {
      return {};
    }
    if (ready < 0 && errno != EINTR) {
      return lost("poll failed");
    }
  }
}

/// The server's own limit ends a statement; ours is for a server that does not answer at all.
PostgresqlConnection::Clock::time_point PostgresqlConnection::answer_deadline() const {
  return Clock::now() + options_.statement_time + std::chrono::seconds{1};
}

Result<void> PostgresqlConnection::flush(Clock::time_point deadline) {
  for (;;) {
    const int pending = PQflush(handle_);
    if (pending == 0) {
      return {};
    }
    if (pending < 0) {
      return lost(one_line(PQerrorMessage(handle_)));
    }
    // What the server has to say may be what keeps it from reading on.
    TRY(wait(POLLIN | POLLOUT, deadline));
    if (PQconsumeInput(handle_) == 0) {
      return lost(one_line(PQerrorMessage(handle_)));
    }
  }
}

/// Null where a command has no further one.
Result<PostgresqlConnection::ResultPtr> PostgresqlConnection::next_result(
    Clock::time_point deadline) {
  while (PQisBusy(handle_) != 0) {
    TRY(wait(POLLIN, deadline));
    if (PQconsumeInput(handle_) == 0) {
      return lost(one_line(PQerrorMessage(handle_)));
    }
  }
  return ResultPtr(PQgetResult(handle_));
}

/// The last result of what was sent, or the first error.
Result<PostgresqlConnection::ResultPtr> PostgresqlConnection::result() {
  const auto deadline = answer_deadline();
  count_round_trip();
  TRY(flush(deadline));
  ResultPtr last;
  std::optional<Error> error;
  while (ResultPtr next = TRY(next_result(deadline))) {
    if (!succeeded(next.get()) && !error) {
      error = failed(next.get());
    }
    last = std::move(next);
  }
  if (error) {
    return *error;
  }
  if (last == nullptr) {
    return lost("no result");
  }
  return last;
}

/// Keeps the first error of a pipeline: what came after it was not run.
void PostgresqlConnection::take_result(const pg_result* result, const Sent& sent,
                                       std::optional<Error>& error) {
  if (succeeded(result)) {
    return;
  }
  if (sent.prepares) {
    prepared_.at(static_cast<std::size_t>(sent.kind)).erase(sent.sql);
  }
  if (!error && PQresultStatus(result) != PGRES_PIPELINE_ABORTED) {
    error = naming_statement(failed(result), sent.sql);
  }
}

/// Has all that was sent answered: the result of the last statement, or the first error.
Result<PostgresqlConnection::ResultPtr> PostgresqlConnection::drain() {
  const std::vector<Sent> sent = std::exchange(sent_, {});
  const auto deadline = answer_deadline();
  count_round_trip();
  if (PQpipelineSync(handle_) == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  TRY(flush(deadline));
  ResultPtr last;
  std::optional<Error> error;
  for (const Sent& one : sent) {
    while (ResultPtr next = TRY(next_result(deadline))) {
      take_result(next.get(), one, error);
      last = std::move(next);
    }
  }
  const ResultPtr end = TRY(next_result(deadline));
  if (last == nullptr || PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC) {
    Error astray = lost("the answers do not match what was sent");
    return error ? *error : astray;
  }
  if (error) {
    return *error;
  }
  return last;
}

Result<std::string> PostgresqlConnection::run(const std::string& sql) {
  count_statement();
  failure_ = Failure::kNone;
  if (PQsendQuery(handle_, sql.c_str()) == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  const ResultPtr answer = TRY(result());
  return PQntuples(answer.get()) > 0 ? std::string(PQgetvalue(answer.get(), 0, 0)) : std::string();
}

Result<void> PostgresqlConnection::forget_statements() {
  prepared_ = {};
  if (!pipelining_) {
    TRY(run("DEALLOCATE ALL"));
    return {};
  }
  constexpr const char* kForget = "DEALLOCATE ALL";
  if (PQsendQueryParams(handle_, kForget, 0, nullptr, nullptr, nullptr, nullptr, 1) == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  sent_.push_back({kForget});
  return {};
}

Result<const std::string*> PostgresqlConnection::prepare(std::string_view sql, Kind kind) {
  // An INSERT of one row that must tell its id is another statement than the same text without.
  auto& known = prepared_.at(static_cast<std::size_t>(kind));
  if (const auto found = known.find(sql); found != known.end()) {
    return &found->second;
  }
  if (known.size() >= kStatementsMax) {
    TRY(forget_statements());
  }
  std::string text = number_placeholders(sql);
  text += kind == Kind::kInsert ? " RETURNING id" : "";
  if (!options_.prepared_statements) {
    return &known.emplace(std::string(sql), std::move(text)).first->second;
  }
  std::string name = fmt::format("s{}", ++prepared_count_);
  if (PQsendPrepare(handle_, name.c_str(), text.c_str(), 0, nullptr) == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  if (pipelining_) {
    sent_.push_back({std::string(sql), kind, true});
  } else if (const auto prepared = result(); !prepared) {
    return naming_statement(prepared.error(), sql);
  }
  return &known.emplace(std::string(sql), std::move(name)).first->second;
}

Result<void> PostgresqlConnection::send(std::string_view sql, Params params, Kind kind) {
  if (lost_) {
    return lost("connection lost");
  }
  count_statement();
  failure_ = Failure::kNone;
  const std::string& prepared = *TRY(prepare(sql, kind));
  const PostgresqlParams bound(params);
  const int sent = options_.prepared_statements
                       ? PQsendQueryPrepared(handle_, prepared.c_str(), bound.count(),
                                             bound.values(), bound.lengths(), bound.formats(), 1)
                       : PQsendQueryParams(handle_, prepared.c_str(), bound.count(), nullptr,
                                           bound.values(), bound.lengths(), bound.formats(), 1);
  if (sent == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  if (pipelining_) {
    sent_.push_back({std::string(sql), kind});
  }
  return {};
}

Result<PostgresqlConnection::ResultPtr> PostgresqlConnection::query(std::string_view sql,
                                                                    Params params, Kind kind) {
  TRY(send(sql, params, kind));
  if (pipelining_) {
    return drain();
  }
  auto answer = result();
  if (!answer) {
    return naming_statement(answer.error(), sql);
  }
  return answer;
}

Result<void> PostgresqlConnection::each(std::string_view sql, Params params,
                                        const std::function<bool(const Row&)>& row) {
  const ResultPtr answer = TRY(query(sql, params, Kind::kPlain));
  PostgresqlRow current(answer.get());
  const int rows = PQntuples(answer.get());
  for (int i = 0; i < rows; ++i) {
    current.move_to(i);
    if (!row(current)) {
      break;
    }
  }
  return {};
}

Result<std::int64_t> PostgresqlConnection::execute(std::string_view sql, Params params) {
  const ResultPtr answer = TRY(query(sql, params, Kind::kPlain));
  const std::string_view count = PQcmdTuples(answer.get());
  std::int64_t changed = 0;
  std::from_chars(count.data(), count.data() + count.size(), changed);
  return changed;
}

Result<void> PostgresqlConnection::execute_later(std::string_view sql, Params params) {
  TRY(send(sql, params, Kind::kPlain));
  // What waits here is in memory.
  if (pipelining_ && sent_.size() < kSentMax) {
    return {};
  }
  TRY(drain());
  return {};
}

Result<std::int64_t> PostgresqlConnection::insert(std::string_view sql, Params params) {
  const ResultPtr answer = TRY(query(sql, params, Kind::kInsert));
  if (PQntuples(answer.get()) != 1) {
    failure_ = Failure::kOther;
    return Error{
        Code::kInternal, Subject::kDatabase, "database: insert() of not exactly one row", {}};
  }
  return PostgresqlRow(answer.get()).integer(0);
}

Result<void> PostgresqlConnection::begin_read() {
  TRY(run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  return {};
}

Result<void> PostgresqlConnection::begin_write(bool durable) {
  if (server_clock_.stale()) {
    TRY(ping());
  }
  if (lost_ || PQenterPipelineMode(handle_) == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  pipelining_ = true;
  TRY(send("BEGIN ISOLATION LEVEL READ COMMITTED", {}, Kind::kPlain));
  if (!durable) {
    TRY(send("SET LOCAL synchronous_commit TO off", {}, Kind::kPlain));
  }
  if (!options_.prepared_statements) {
    TRY(send(
        fmt::format("SET LOCAL statement_timeout = {}", options_.statement_time.count() * 1000), {},
        Kind::kPlain));
  }
  return {};
}

/// With a last statement.
Result<void> PostgresqlConnection::end_pipeline(std::string_view how) {
  TRY(send(how, {}, Kind::kPlain));
  TRY(drain());
  if (PQexitPipelineMode(handle_) == 0) {
    return lost(one_line(PQerrorMessage(handle_)));
  }
  pipelining_ = false;
  return {};
}

Result<void> PostgresqlConnection::commit() {
  return end_pipeline("COMMIT");
}

void PostgresqlConnection::rollback() {
  const Failure why = failure_;
  if (pipelining_ && !sent_.empty() && !lost_) {
    // Behind a statement that fails, nothing runs before the answers are taken.
    static_cast<void>(drain());
  }
  if (!lost_) {
    const bool done =
        pipelining_ ? end_pipeline("ROLLBACK").has_value() : run("ROLLBACK").has_value();
    lost_ = lost_ || !done;
  }
  failure_ = why;
}

Result<void> PostgresqlConnection::ping() {
  const std::string micros = TRY(run(std::string(kReadClock)));
  server_clock_.set(micros);
  return {};
}

Time PostgresqlConnection::now() {
  if (server_clock_.stale() && !pipelining_ && PQtransactionStatus(handle_) == PQTRANS_IDLE) {
    static_cast<void>(ping());
  }
  return server_clock_.now();
}

bool PostgresqlConnection::is_lost() {
  // Nobody has to do with it between two transactions.
  if (lost_ || pipelining_) {
    return true;
  }
  pollfd waiting{PQsocket(handle_), POLLIN, 0};
  if (::poll(&waiting, 1, 0) > 0 && PQconsumeInput(handle_) == 0) {
    lost_ = true;
  }
  lost_ = lost_ || PQstatus(handle_) != CONNECTION_OK;
  return lost_;
}

}  // namespace roadstead::db::internal
