#include "db/internal/sqlite_session.h"

#include <utility>

#include "base/check.h"

namespace roadstead::db::internal {

Result<void> SqliteSession::each(std::string_view sql, Params params,
                                 const std::function<bool(const Row&)>& row) {
  CHECK(statements_left_-- > 0);
  if (lost_) {
    return *lost_;
  }
  Result<void> result = connection_.each(sql, params, row);
  return result ? std::move(result) : failed(std::move(result).error());
}

Result<std::int64_t> SqliteSession::execute(std::string_view sql, Params params) {
  if (lost_) {
    return *lost_;
  }
  Result<std::int64_t> result = connection_.execute(sql, params);
  return result ? std::move(result) : failed(std::move(result).error());
}

Result<std::int64_t> SqliteSession::insert(std::string_view sql, Params params) {
  if (TRY(execute(sql, params)) != 1) {
    return Error{
        Code::kInternal, Subject::kDatabase, "database: insert() of not exactly one row", {}};
  }
  return connection_.last_insert_id();
}

Time SqliteSession::now() {
  if (!now_) {
    now_ = clock_.now();
  }
  return *now_;
}

Error SqliteSession::failed(Error error) {
  if (!connection_.in_transaction()) {
    lost_ = error;
  }
  return error;
}

}  // namespace roadstead::db::internal
