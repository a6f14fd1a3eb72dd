#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "db/database.h"
#include "db/internal/sqlite_connection.h"

namespace roadstead::db::internal {

/// A session on a connection that is inside a transaction. When the engine ends that transaction by
/// itself (disk full, I/O error), every further call fails with the same error: a statement that
/// ran then would commit on its own.
class SqliteSession final : public WriteSession {
 public:
  /// `statements_max`: how many statements may run in it, at least one.
  SqliteSession(SqliteConnection& connection, const Clock& clock,
                std::size_t statements_max = SIZE_MAX)
      : connection_(connection), clock_(clock), statements_left_(statements_max) {}

  using ReadSession::each;
  using WriteSession::execute;
  using WriteSession::execute_later;
  using WriteSession::insert;
  using WriteSession::lock;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override;
  Result<std::int64_t> execute(std::string_view sql, Params params) override;
  Result<std::int64_t> insert(std::string_view sql, Params params) override;
  /// The transaction has the whole database.
  Result<bool> lock(std::string_view /*sql*/, Params /*params*/) override { return false; }
  Time now() override;
  [[nodiscard]] bool shared() const override { return false; }
  void after_commit(std::function<void()> hint) override { hints_.push_back(std::move(hint)); }

  /// Why the engine ended the transaction, if it did.
  [[nodiscard]] const std::optional<Error>& lost() const { return lost_; }
  [[nodiscard]] std::vector<std::function<void()>> take_hints() { return std::move(hints_); }

 private:
  Error failed(Error error);

  SqliteConnection& connection_;
  const Clock& clock_;
  std::size_t statements_left_;
  std::optional<Time> now_;
  std::optional<Error> lost_;
  std::vector<std::function<void()>> hints_;
};

}  // namespace roadstead::db::internal
