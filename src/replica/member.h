#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::replica {

/// This process among the replicas of an installation: a row with its heartbeat, and the turns that
/// it holds. Nothing that is acknowledged depends on it: a turn only keeps several replicas from
/// doing the same work at once, and whoever is paused for longer than a turn lasts may find another
/// at it. Thread-safe.
class Member {
 public:
  struct Description {
    std::string host;
    std::string roles;
    std::string version;
  };

  /// Announces itself, and from then on every few seconds on a thread of its own. The database
  /// outlives it. Errors: of the database.
  static Result<std::unique_ptr<Member>> join(db::Database& database,
                                              const Description& description, log::Logger logger);
  /// Leaves: its turns are free at once.
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  [[nodiscard]] const std::string& id() const;
  /// Whether this replica has the turn, which it takes when nobody else does: always over the
  /// embedded database, which has one process. Costs nothing while it holds it, and one small
  /// transaction every few seconds while another does.
  bool has_turn(std::string_view name);

 private:
  struct State;
  explicit Member(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::replica
