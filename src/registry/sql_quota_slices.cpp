#include <algorithm>

#include "registry/internal/quota_slices.h"

namespace roadstead::registry::internal {
namespace {

/// Of a project: twice as many as the pushes that usually commit at the same time.
constexpr std::int64_t kSlices = 16;
/// For how many pushes of the same size a slice is filled: the row of the quota is wanted once in
/// kSlices times as many.
constexpr std::int64_t kPushesPerSlice = 64;
/// However small a push is: rows of a few KiB come by the thousand.
constexpr std::int64_t kShareMin = std::int64_t{16} << 20;
/// All slices together promise at most half of the room.
constexpr std::int64_t kRoomPerShare = 2 * kSlices;

Result<Slices> take(db::WriteSession& session, std::string_view sql, ProjectId project) {
  Slices slices;
  TRY(session.each(sql, {project}, [&](const db::Row& row) {
    slices.slots.push_back(row.integer(0));
    slices.sum += row.integer(1);
    return true;
  }));
  return slices;
}

Result<std::int64_t> make_slices(db::WriteSession& session, ProjectId project, std::int64_t share) {
  const auto made = TRY(session.first("SELECT 1 FROM quota_slice WHERE project_id = ? LIMIT 1",
                                      {project}, [](const db::Row&) { return true; }));
  if (made || share == 0) {
    return 0;
  }
  constexpr std::string_view kSql =
      "INSERT INTO quota_slice (project_id, slot, headroom) VALUES (?, ?, ?), (?, ?, ?), (?, ?, "
      "?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), "
      "(?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?), (?, ?, ?)";
  std::vector<db::Param> params;
  for (std::int64_t slot = 0; slot < kSlices; ++slot) {
    params.insert(params.end(), {project, slot, share});
  }
  TRY(session.execute(kSql, params));
  return share * kSlices;
}

}  // namespace

Result<bool> spend_slice(db::WriteSession& session, ProjectId project, std::int64_t bytes) {
  const auto slot = TRY(session.first(
      "SELECT slot FROM quota_slice WHERE project_id = ? AND headroom >= ? ORDER BY slot LIMIT 1 "
      "FOR UPDATE SKIP LOCKED",
      {project, bytes}, [](const db::Row& row) { return row.integer(0); }));
  if (!slot) {
    return false;
  }
  TRY(session.execute_later(
      "UPDATE quota_slice SET headroom = headroom - ? WHERE project_id = ? AND slot = ?",
      {bytes, project, *slot}));
  return true;
}

Result<Slices> take_free_slices(db::WriteSession& session, ProjectId project) {
  return take(session,
              "SELECT slot, headroom FROM quota_slice WHERE project_id = ? ORDER BY slot FOR "
              "UPDATE SKIP LOCKED",
              project);
}

Result<Slices> take_all_slices(db::WriteSession& session, ProjectId project) {
  return take(session,
              "SELECT slot, headroom FROM quota_slice WHERE project_id = ? ORDER BY slot FOR "
              "UPDATE",
              project);
}

std::int64_t share_of(std::int64_t room, std::int64_t bytes) {
  const std::int64_t wanted = std::max(bytes * kPushesPerSlice, kShareMin);
  const std::int64_t share = std::min(wanted, room / kRoomPerShare);
  return share < bytes ? 0 : share;
}

Result<std::int64_t> fill_slices(db::WriteSession& session, ProjectId project, const Slices& taken,
                                 std::int64_t share) {
  if (taken.slots.empty()) {
    return make_slices(session, project, share);
  }
  if (share == 0 && taken.sum == 0) {
    return 0;
  }
  constexpr std::string_view kSql =
      "UPDATE quota_slice SET headroom = ? WHERE project_id = ? AND slot IN (?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?, ?, ?, ?, ?, ?, ?)";
  std::vector<db::Param> params{share, project};
  params.insert(params.end(), taken.slots.begin(), taken.slots.end());
  params.resize(2 + static_cast<std::size_t>(kSlices), db::Param(taken.slots.front()));
  TRY(session.execute(kSql, params));
  return share * static_cast<std::int64_t>(taken.slots.size()) - taken.sum;
}

}  // namespace roadstead::registry::internal
