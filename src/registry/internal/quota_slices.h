#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::registry::internal {

/// Room of a limited project that is promised to whoever locks the row (ADR 13). `quota.used`
/// counts it as if it were spent, so a transaction that spends from a slice changes no row but that
/// one.
///
///   usage of the project = quota.used + its quota_delta - its quota_slice.headroom
///
/// Only who has locked the project's quota row makes slices or fills them; only who has locked a
/// slice changes it. All that is here is in rows: nothing is lost with a process.

/// Slices that this transaction has locked.
struct Slices {
  std::vector<std::int64_t> slots;
  std::int64_t sum = 0;  ///< Of what they promise.
};

/// Takes the bytes from some slice that has them and that nobody has locked; false when there is
/// none.
Result<bool> spend_slice(db::WriteSession& session, ProjectId project, std::int64_t bytes);
/// Locks all that nobody else has locked.
Result<Slices> take_free_slices(db::WriteSession& session, ProjectId project);
/// Locks all; waits for who has one.
Result<Slices> take_all_slices(db::WriteSession& session, ProjectId project);
/// What each slice should promise where `room` is left behind a push of `bytes`: enough for many
/// such pushes, and little enough that a slice that is locked for long does not matter. Nothing
/// near the limit.
std::int64_t share_of(std::int64_t room, std::int64_t bytes);
/// Each of `taken` promises `share` from now on; without any taken, slices are made if there are
/// none. The quota row is locked. Returns by how much more is promised.
Result<std::int64_t> fill_slices(db::WriteSession& session, ProjectId project, const Slices& taken,
                                 std::int64_t share);

}  // namespace roadstead::registry::internal
