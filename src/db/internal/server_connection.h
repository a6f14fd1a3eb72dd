#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::db::internal {

/// What a failed statement means for the transaction around it.
enum class Failure : std::uint8_t {
  kNone,
  kConflict,   ///< Serialisation failure or deadlock: run the transaction again.
  kViolation,  ///< Of a unique or foreign key: once more, it may have been a race.
  kLost,       ///< The connection is gone or did not answer in time.
  kOther
};

/// One connection to a database server. Used by one thread at a time. After `failure()` of kLost it
/// can only be destroyed; after any other failure inside a transaction only rollback() is left.
class ServerConnection {
 public:
  ServerConnection() = default;
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  virtual ~ServerConnection() = default;

  /// A transaction that sees one snapshot and changes nothing.
  virtual Result<void> begin_read() = 0;
  /// A transaction of READ COMMITTED. `durable`: whether its commit must survive a crash of the
  /// server at once. May travel with the first statement.
  virtual Result<void> begin_write(bool durable) = 0;
  /// After an error of kLost it is unknown whether the transaction was committed; after another one
  /// it was not, and needs rollback().
  virtual Result<void> commit() = 0;
  /// Ends the transaction without effect; the connection is lost when it cannot.
  virtual void rollback() = 0;

  /// As the methods of the sessions. Locks at the end of a SELECT are rendered for the engine.
  virtual Result<void> each(std::string_view sql, Params params,
                            const std::function<bool(const Row&)>& row) = 0;
  virtual Result<std::int64_t> execute(std::string_view sql, Params params) = 0;
  virtual Result<void> execute_later(std::string_view sql, Params params) {
    TRY(execute(sql, params));
    return {};
  }
  virtual Result<std::int64_t> insert(std::string_view sql, Params params) = 0;
  /// One round trip that tells whether the server answers.
  virtual Result<void> ping() = 0;

  /// The server's clock as it was read not long before the transaction began, moved on by our own:
  /// never the wall clock of this machine.
  virtual Time now() = 0;
  /// Of the last statement.
  [[nodiscard]] virtual Failure failure() const = 0;
  /// Whether it is known to be unusable; asks nobody.
  [[nodiscard]] virtual bool is_lost() = 0;
  struct Traffic {
    std::uint64_t statements = 0;
    std::uint64_t round_trips = 0;  ///< Times that it waited for answers.
  };
  /// Since the last call.
  Traffic take_traffic() { return std::exchange(traffic_, {}); }

 protected:
  void count_statement() { ++traffic_.statements; }
  void count_round_trip() { ++traffic_.round_trips; }

 private:
  Traffic traffic_;
};

}  // namespace roadstead::db::internal
