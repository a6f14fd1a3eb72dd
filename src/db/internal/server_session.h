#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "db/database.h"
#include "db/internal/server_connection.h"

namespace roadstead::db::internal {

/// A session on a connection to a server. The first statement that fails voids it: the server has
/// given the transaction up, so every further call fails with the same error, and so does the
/// function whatever it returns.
class ServerSession final : public WriteSession {
 public:
  /// `clock`: instead of the server's, or null. `statements_max`: how many statements may run in
  /// it, at least one.
  ServerSession(ServerConnection& connection, const Clock* clock,
                std::size_t statements_max = SIZE_MAX)
      : connection_(connection), clock_(clock), statements_left_(statements_max) {}

  using ReadSession::each;
  using WriteSession::execute;
  using WriteSession::execute_later;
  using WriteSession::insert;
  using WriteSession::lock;
  Result<bool> lock(std::string_view sql, Params params) override;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override;
  Result<std::int64_t> execute(std::string_view sql, Params params) override;
  Result<void> execute_later(std::string_view sql, Params params) override;
  Result<std::int64_t> insert(std::string_view sql, Params params) override;
  Time now() override;
  [[nodiscard]] bool shared() const override { return true; }
  void after_commit(std::function<void()> hint) override { hints_.push_back(std::move(hint)); }

  [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }
  /// Whether a statement has told its function anything.
  [[nodiscard]] bool has_answered() const { return answered_; }
  [[nodiscard]] std::vector<std::function<void()>> take_hints() { return std::move(hints_); }

 private:
  template <typename T>
  Result<T> checked(Result<T> result);

  ServerConnection& connection_;
  const Clock* clock_;
  std::size_t statements_left_;
  std::optional<Time> now_;
  std::optional<Error> failed_;
  bool answered_ = false;
  std::vector<std::function<void()>> hints_;
};

}  // namespace roadstead::db::internal
