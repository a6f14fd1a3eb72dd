#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "db/internal/server_clock.h"
#include "db/internal/server_connection.h"
#include "db/internal/text_hash.h"
#include "db/server.h"

// libpq's types, which only the .cpp needs whole.
struct pg_conn;
struct pg_result;

namespace roadstead::db::internal {

/// A connection through libpq. Statements are prepared once and found by their text; results come
/// in binary. Inside a transaction that writes, what need not be answered at once (its begin,
/// execute_later()) is sent with what does, in a pipeline. Nothing waits longer than the options
/// say, however dead the server is: a statement that is not answered in time costs the connection.
class PostgresqlConnection final : public ServerConnection {
 public:
  /// Errors: kUnavailable when the server cannot be reached, kPrecondition when it is too old,
  /// kInvalid when the URL is wrong or the server does not let us in.
  static Result<std::unique_ptr<ServerConnection>> open(const ServerOptions& options);
  ~PostgresqlConnection() override;

  Result<void> begin_read() override;
  Result<void> begin_write(bool durable) override;
  Result<void> commit() override;
  void rollback() override;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override;
  Result<std::int64_t> execute(std::string_view sql, Params params) override;
  Result<void> execute_later(std::string_view sql, Params params) override;
  Result<std::int64_t> insert(std::string_view sql, Params params) override;
  Result<void> ping() override;
  Time now() override;
  [[nodiscard]] Failure failure() const override { return failure_; }
  [[nodiscard]] bool is_lost() override;
  /// Runs statements without parameters, one after the other; the rows of the last one.
  Result<std::string> run(const std::string& sql);

 private:
  using Clock = std::chrono::steady_clock;
  struct FreeResult {
    void operator()(pg_result* result) const;
  };
  using ResultPtr = std::unique_ptr<pg_result, FreeResult>;
  enum class Kind : std::uint8_t { kPlain, kInsert };
  /// What waits in the pipeline for its answer.
  struct Sent {
    std::string sql;
    Kind kind = Kind::kPlain;
    bool prepares = false;
  };

  explicit PostgresqlConnection(pg_conn* handle, const ServerOptions& options)
      : handle_(handle), options_(options) {}
  Result<void> connect(Clock::time_point deadline);
  Result<void> check_server();
  Result<void> wait(short events, Clock::time_point deadline);
  [[nodiscard]] Clock::time_point answer_deadline() const;
  Result<void> flush(Clock::time_point deadline);
  Result<ResultPtr> next_result(Clock::time_point deadline);
  Result<ResultPtr> result();
  Result<void> send(std::string_view sql, Params params, Kind kind);
  Result<ResultPtr> query(std::string_view sql, Params params, Kind kind);
  Result<ResultPtr> drain();
  void take_result(const pg_result* result, const Sent& sent, std::optional<Error>& error);
  Result<void> end_pipeline(std::string_view how);
  Result<const std::string*> prepare(std::string_view sql, Kind kind);
  Result<void> forget_statements();
  Error failed(const pg_result* result);
  Error lost(std::string_view why);

  pg_conn* handle_;
  const ServerOptions options_;
  /// By kind and text: the name to execute, or the text for the server.
  std::array<std::unordered_map<std::string, std::string, TextHash, std::equal_to<>>, 2> prepared_;
  std::uint64_t prepared_count_ = 0;
  Failure failure_ = Failure::kNone;
  bool lost_ = false;
  bool pipelining_ = false;
  std::vector<Sent> sent_;
  ServerClock server_clock_;
};

}  // namespace roadstead::db::internal
