#include "db/testing/statement_faults.h"

#include <utility>

namespace roadstead::db::testing {
namespace {

class Reading final : public ReadSession {
 public:
  Reading(ReadSession& session, StatementFaults& faults) : session_(session), faults_(faults) {}

  using ReadSession::each;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override {
    TRY(faults_.decide());
    return session_.each(sql, params, row);
  }
  Time now() override { return session_.now(); }

 private:
  ReadSession& session_;
  StatementFaults& faults_;
};

class Writing final : public WriteSession {
 public:
  Writing(WriteSession& session, StatementFaults& faults) : session_(session), faults_(faults) {}

  using ReadSession::each;
  using WriteSession::execute;
  using WriteSession::execute_later;
  using WriteSession::insert;
  using WriteSession::lock;
  Result<bool> lock(std::string_view sql, Params params) override {
    TRY(faults_.decide());
    return session_.lock(sql, params);
  }
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override {
    TRY(faults_.decide());
    return session_.each(sql, params, row);
  }
  Result<std::int64_t> execute(std::string_view sql, Params params) override {
    TRY(faults_.decide());
    return session_.execute(sql, params);
  }
  Result<std::int64_t> insert(std::string_view sql, Params params) override {
    TRY(faults_.decide());
    return session_.insert(sql, params);
  }
  Time now() override { return session_.now(); }
  [[nodiscard]] bool shared() const override { return session_.shared(); }
  void after_commit(std::function<void()> hint) override { session_.after_commit(std::move(hint)); }

 private:
  WriteSession& session_;
  StatementFaults& faults_;
};

}  // namespace

void StatementFaults::fail(std::size_t n) {
  armed_ = true;
  left_ = n;
}

bool StatementFaults::stop() {
  return !std::exchange(armed_, false);
}

Result<void> StatementFaults::decide() {
  if (!armed_) {
    return {};
  }
  if (left_ > 0) {
    --left_;
    return {};
  }
  armed_ = false;
  return Error{Code::kUnavailable, Subject::kDatabase, "database: made to fail", {}};
}

Result<void> StatementFaults::run_read(const std::function<Result<void>(ReadSession&)>& fn,
                                       Snapshot snapshot) {
  const auto read = [&](ReadSession& session) -> Result<void> {
    Reading reading(session, *this);
    return fn(reading);
  };
  return snapshot == Snapshot::kStatement ? database_.read_once(read) : database_.read(read);
}

Result<void> StatementFaults::run_write(const std::function<Result<void>(WriteSession&)>& fn,
                                        Durability durability) {
  const auto write = [&](WriteSession& session) -> Result<void> {
    Writing writing(session, *this);
    TRY(fn(writing));
    return decide();
  };
  return database_.write(write, durability);
}

}  // namespace roadstead::db::testing
