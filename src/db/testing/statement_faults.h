#pragma once

#include <cstddef>
#include <functional>

#include "db/database.h"

namespace roadstead::db::testing {

/// A database some of whose statements fail: hands everything on to the one behind it, until it is
/// told to fail the N-th statement or the COMMIT after a function. What fails does not happen, and
/// the transaction around it is rolled back as it is after a real failure. For tests of one thread.
class StatementFaults final : public Database {
 public:
  /// The database outlives it.
  explicit StatementFaults(Database& database) : database_(database) {}

  /// Fails the `n`-th statement or commit from now on, counting from 0, with kUnavailable +
  /// kDatabase.
  void fail(std::size_t n);
  /// Ends that; whether the `n`-th was reached.
  bool stop();

  /// What every statement asks first.
  Result<void> decide();

  [[nodiscard]] bool reads_are_local() const override { return database_.reads_are_local(); }
  Result<void> ping() override { return database_.ping(); }
  [[nodiscard]] Statistics statistics() const override { return database_.statistics(); }
  Result<void> copy_to(const std::filesystem::path& path) override {
    return database_.copy_to(path);
  }

 protected:
  Result<void> run_read(const std::function<Result<void>(ReadSession&)>& fn,
                        Snapshot snapshot) override;
  Result<void> run_write(const std::function<Result<void>(WriteSession&)>& fn,
                         Durability durability) override;

 private:
  Database& database_;
  bool armed_ = false;
  std::size_t left_ = 0;
};

}  // namespace roadstead::db::testing
