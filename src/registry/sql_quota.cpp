#include <array>
#include <string_view>

#include <fmt/format.h>

#include "json/json.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/quota.h"
#include "registry/internal/quota_slices.h"
#include "registry/storage_limit.h"

namespace roadstead::registry {
namespace internal {
namespace {

/// "39.1 KiB", as Harbor writes amounts of storage.
std::string readable(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) {
    return fmt::format("{} B", bytes);
  }
  double amount = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", amount, kUnits.at(unit));
}

/// Of its limit, from which on people want to know.
constexpr std::int64_t kWarningPercent = 85;
/// So many pushes of the same size before the mark each looks at the row of the quota: those that
/// pass it together would not see that they do.
constexpr std::int64_t kPushesBeforeMark = 16;

/// 0: too small a limit to have one.
std::int64_t warning_mark(std::int64_t limit) {
  return limit / 100 * kWarningPercent;
}

/// Whether what was sent of the mark may have to change with a push of so many bytes.
bool near_mark(const Quota& quota, std::int64_t bytes) {
  const std::int64_t mark = warning_mark(quota.limit);
  return mark > 0 &&
         (quota.warned ? quota.used < mark : quota.used + bytes * kPushesBeforeMark >= mark);
}

/// The event that Harbor calls QUOTA_WARNING: usage passes the mark with this change.
Result<void> warn(db::WriteSession& session, ProjectId project, const Quota& quota,
                  std::int64_t adding) {
  json::Writer event;
  event.begin_object();
  event.member("project_id", project.value);
  event.member("used", quota.used + adding);
  event.member("hard_limit", quota.limit);
  event.member("message", fmt::format("quota usage reach {}%: {} of {} are used", kWarningPercent,
                                      readable(quota.used + adding), readable(quota.limit)));
  event.end_object();
  return emit_event(session, "QUOTA_WARNING", event.take());
}

constexpr std::string_view kQuotaColumns =
    "q.hard_limit, q.warned, CASE WHEN q.hard_limit < 0 THEN 0 ELSE q.used + COALESCE((SELECT "
    "SUM(d.bytes) FROM quota_delta d WHERE d.project_id = q.project_id), 0) END, CASE WHEN "
    "q.hard_limit < 0 THEN 0 ELSE COALESCE((SELECT SUM(s.headroom) FROM quota_slice s WHERE "
    "s.project_id = q.project_id), 0) END";
constexpr std::string_view kStagedColumn =
    "CASE WHEN q.hard_limit < 0 THEN 0 ELSE COALESCE((SELECT SUM(o.byte_offset) FROM upload o "
    "WHERE o.project_id = q.project_id), 0) END";
constexpr int kQuotaColumnCount = 4;
static_assert(kRoomColumnCount == kQuotaColumnCount + 1);

Quota quota_from(const db::Row& row, int first_column) {
  Quota quota;
  if (row.is_null(first_column)) {
    return quota;
  }
  quota.limit = row.integer(first_column);
  quota.warned = row.boolean(first_column + 1);
  quota.promised = row.integer(first_column + 3);
  quota.used = row.integer(first_column + 2) - quota.promised;
  return quota;
}

/// So that no two pushes want one row; folded later (registry/upkeep.h).
Result<void> append(db::WriteSession& session, ProjectId project, std::int64_t bytes) {
  return session.execute_later("INSERT INTO quota_delta (project_id, bytes) VALUES (?, ?)",
                               {project, bytes});
}

/// False when no slice has enough that nobody has locked, or the row of the quota is wanted anyway.
Result<bool> spend_promised(db::WriteSession& session, ProjectId project, const Quota& quota,
                            std::int64_t bytes) {
  if (quota.promised < bytes || near_mark(quota, bytes)) {
    return false;
  }
  return spend_slice(session, project, bytes);
}

/// Decides under the lock of the quota's row whether the bytes fit, and moves what is promised.
/// Returns by how much more that is; reads `quota` again. One writer (not `shared`) has nobody to
/// promise anything to. Errors: kDenied + kQuota.
Result<std::int64_t> move_promises(db::WriteSession& session, ProjectId project, Quota& quota,
                                   std::int64_t bytes, bool shared) {
  if (!quota.fits(bytes)) {
    return quota_exceeded(quota, bytes);
  }
  Slices taken = TRY(take_free_slices(session, project));
  quota = TRY(read_quota(session, project));
  if (bytes > quota.room() + taken.sum && quota.fits(bytes)) {
    // Whether it fits depends on how those end who have the other slices.
    taken = TRY(take_all_slices(session, project));
    quota = TRY(read_quota(session, project));
  }
  const std::int64_t left = quota.room() + taken.sum - bytes;
  if (left < 0) {
    return quota_exceeded(quota, bytes);
  }
  return fill_slices(session, project, taken, shared ? share_of(left, bytes) : 0);
}

/// Whether slices should be filled, or emptied for good, along with a push that no slice has enough
/// for. Before the mark it is the row that is wanted.
bool moves_promises(const Quota& quota, std::int64_t bytes) {
  return !near_mark(quota, bytes) &&
         (quota.promised > 0 || share_of(quota.room() - bytes, bytes) > 0);
}

/// What cannot be spent from a slice.
Result<void> charge_row(db::WriteSession& session, ProjectId project, Quota quota,
                        std::int64_t bytes) {
  const bool shared =
      TRY(session.lock("SELECT used FROM quota WHERE project_id = ? FOR NO KEY UPDATE", {project}));
  if (shared) {
    quota = TRY(read_quota(session, project));
    if (quota.unlimited()) {
      return append(session, project, bytes);
    }
    // Who had the row before has filled the slices, perhaps. Whoever waited for it must not take
    // them all, or the next one finds none, waits as well, and so does everybody from then on.
    if (TRY(spend_promised(session, project, quota, bytes))) {
      return {};
    }
  }
  std::int64_t promised = 0;
  if (bytes > quota.room() || (shared && moves_promises(quota, bytes))) {
    promised = TRY(move_promises(session, project, quota, bytes, shared));
  }
  const std::int64_t mark = warning_mark(quota.limit);
  const bool past = mark > 0 && quota.used + bytes >= mark;
  const bool was_past = quota.warned && quota.used >= mark;
  if (past && !was_past) {
    TRY(warn(session, project, quota, bytes));
  }
  return session.execute_later(
      "UPDATE quota SET used = used + ?, warned = ?, update_time = ? WHERE project_id = ?",
      {bytes + promised, past, session.now(), project});
}

}  // namespace

Result<Quota> read_quota(db::ReadSession& session, ProjectId project) {
  // One statement, so that all is of one moment. An unlimited project never pays for the sums.
  static const std::string kSql =
      fmt::format("SELECT {} FROM quota q WHERE q.project_id = ?", kQuotaColumns);
  const auto quota =
      TRY(session.first(kSql, {project}, [](const db::Row& row) { return quota_from(row, 0); }));
  return quota.value_or(Quota());
}

std::string room_columns() {
  return fmt::format("{}, {}", kQuotaColumns, kStagedColumn);
}

Room room_from(const db::Row& row, int first_column) {
  return Room{quota_from(row, first_column), row.integer(first_column + kQuotaColumnCount)};
}

Result<Room> read_room(db::ReadSession& session, ProjectId project) {
  static const std::string kSql =
      fmt::format("SELECT {} FROM quota q WHERE q.project_id = ?", room_columns());
  const auto room =
      TRY(session.first(kSql, {project}, [](const db::Row& row) { return room_from(row, 0); }));
  return room.value_or(Room());
}

Error quota_exceeded(const Quota& quota, std::int64_t adding) {
  return Error{Code::kDenied,
               Subject::kQuota,
               fmt::format("adding {} of storage resource, which when updated to current usage of "
                           "{} will exceed the configured upper limit of {}.",
                           readable(adding), readable(quota.used), readable(quota.limit)),
               {}};
}

Result<void> charge(db::WriteSession& session, ProjectId project, std::int64_t bytes) {
  if (bytes == 0) {
    return {};
  }
  if (bytes < 0 && session.shared()) {
    return append(session, project, bytes);
  }
  const Quota quota = TRY(read_quota(session, project));
  if (quota.unlimited()) {
    return append(session, project, bytes);
  }
  if (bytes < 0) {
    return session.execute_later(
        "UPDATE quota SET used = used + ?, update_time = ? WHERE project_id = ?",
        {bytes, session.now(), project});
  }
  if (TRY(spend_promised(session, project, quota, bytes))) {
    return {};
  }
  return charge_row(session, project, quota, bytes);
}

bool is_unlimited(const db::Row& row, int limit_column) {
  return row.is_null(limit_column) || row.integer(limit_column) < 0;
}

Result<void> charge(db::WriteSession& session, ProjectId project, std::int64_t bytes,
                    bool unlimited) {
  return unlimited && bytes != 0 ? append(session, project, bytes)
                                 : charge(session, project, bytes);
}

}  // namespace internal

Result<void> set_storage_limit(db::WriteSession& session, ProjectId project, std::int64_t bytes) {
  const auto before =
      TRY(session.first("SELECT hard_limit FROM quota WHERE project_id = ? FOR NO KEY UPDATE",
                        {project}, [](const db::Row& row) { return row.integer(0); }));
  if (!before) {
    return Error{Code::kNotFound, Subject::kQuota, "the project has no quota", {}};
  }
  std::int64_t taken_back = 0;
  // What was promised under a lower limit is still there under a higher one.
  if (bytes >= 0 && (*before < 0 || bytes < *before)) {
    const auto slices = TRY(internal::take_all_slices(session, project));
    taken_back = TRY(internal::fill_slices(session, project, slices, 0));
  }
  TRY(session.execute(
      "UPDATE quota SET hard_limit = ?, used = used + ?, update_time = ? WHERE project_id = ?",
      {bytes, taken_back, session.now(), project}));
  const internal::Quota quota = TRY(internal::read_quota(session, project));
  const std::int64_t mark = internal::warning_mark(bytes);
  // Who sets a limit knows what is used.
  TRY(session.execute("UPDATE quota SET warned = ? WHERE project_id = ?",
                      {mark > 0 && quota.used >= mark, project}));
  return {};
}

}  // namespace roadstead::registry
