#include "db/internal/server_session.h"

#include <utility>

#include "base/check.h"

namespace roadstead::db::internal {

template <typename T>
Result<T> ServerSession::checked(Result<T> result) {
  if (!result) {
    failed_ = result.error();
  } else {
    answered_ = true;
  }
  return result;
}

Result<bool> ServerSession::lock(std::string_view sql, Params params) {
  TRY(each(sql, params, [](const Row&) { return true; }));
  return true;
}

Result<void> ServerSession::each(std::string_view sql, Params params,
                                 const std::function<bool(const Row&)>& row) {
  CHECK(statements_left_-- > 0);
  return failed_ ? Result<void>(*failed_) : checked(connection_.each(sql, params, row));
}

Result<std::int64_t> ServerSession::execute(std::string_view sql, Params params) {
  return failed_ ? Result<std::int64_t>(*failed_) : checked(connection_.execute(sql, params));
}

Result<void> ServerSession::execute_later(std::string_view sql, Params params) {
  if (!failed_) {
    if (const auto sent = connection_.execute_later(sql, params); !sent) {
      failed_ = sent.error();
    }
  }
  return failed_ ? Result<void>(*failed_) : Result<void>();
}

Result<std::int64_t> ServerSession::insert(std::string_view sql, Params params) {
  return failed_ ? Result<std::int64_t>(*failed_) : checked(connection_.insert(sql, params));
}

Time ServerSession::now() {
  if (!now_) {
    now_ = clock_ == nullptr ? connection_.now() : clock_->now();
  }
  return *now_;
}

}  // namespace roadstead::db::internal
