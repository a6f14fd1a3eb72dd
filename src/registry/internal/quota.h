#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::registry::internal {

struct Quota {
  std::int64_t limit = -1;    ///< -1: none; nothing else was then read.
  std::int64_t used = 0;      ///< What transactions have committed up to one moment: exact.
  std::int64_t promised = 0;  ///< To slices (internal/quota_slices.h), beside what is used.
  bool warned = false;        ///< The event of a nearly full project was sent.
  [[nodiscard]] bool unlimited() const { return limit < 0; }
  [[nodiscard]] bool fits(std::int64_t bytes) const { return bytes <= limit - used; }
  /// Neither used nor promised; less than nothing when the limit was lowered.
  [[nodiscard]] std::int64_t room() const { return limit - used - promised; }
};
Result<Quota> read_quota(db::ReadSession& session, ProjectId project);

/// What a project has, and what its open uploads hold already.
struct Room {
  Quota quota;
  std::int64_t staged = 0;  ///< Bytes, by the rows of uploads; 0 when there is no limit.
};
/// Of `q`, the quota of a project, for a statement that asks for other things as well.
std::string room_columns();
inline constexpr int kRoomColumnCount = 5;
Room room_from(const db::Row& row, int first_column);
Result<Room> read_room(db::ReadSession& session, ProjectId project);
/// kDenied + kQuota with Harbor's sentence.
Error quota_exceeded(const Quota& quota, std::int64_t adding);
/// Adds to the usage; a positive amount after the check against the limit. It is exact: refused is
/// what does not fit beside what was committed, and nothing else. Waits for others only when the
/// project has one writer, nears a mark, or must move what is promised; a negative amount waits for
/// nobody.
Result<void> charge(db::WriteSession& session, ProjectId project, std::int64_t bytes);
/// Of the project of `r`, a repository: its limit, for a statement that asks for other things too.
inline constexpr std::string_view kLimitColumn =
    "(SELECT q.hard_limit FROM quota q WHERE q.project_id = r.project_id)";
bool is_unlimited(const db::Row& row, int limit_column);
/// As above. `unlimited`: this transaction saw that the project has no limit, and need not ask.
Result<void> charge(db::WriteSession& session, ProjectId project, std::int64_t bytes,
                    bool unlimited);

}  // namespace roadstead::registry::internal
