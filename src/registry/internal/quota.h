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
inline constexpr std::string_view kRoomColumns =
    "q.hard_limit, q.warned, CASE WHEN q.hard_limit < 0 THEN 0 ELSE q.used + COALESCE((SELECT "
    "SUM(d.bytes) FROM quota_delta d WHERE d.project_id = q.project_id), 0) END, CASE WHEN "
    "q.hard_limit < 0 THEN 0 ELSE COALESCE((SELECT SUM(s.headroom) FROM quota_slice s WHERE "
    "s.project_id = q.project_id), 0) END, CASE WHEN q.hard_limit < 0 THEN 0 ELSE COALESCE((SELECT "
    "SUM(o.byte_offset) FROM upload o WHERE o.project_id = q.project_id), 0) END";
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
/// The same for a project that this transaction saw to have no limit.
Result<void> charge_unlimited(db::WriteSession& session, ProjectId project, std::int64_t bytes);

}  // namespace roadstead::registry::internal
