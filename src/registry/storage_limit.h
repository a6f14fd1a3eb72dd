#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::registry {

/// Sets how many bytes the project may use, or -1 for as many as there are. The only way to change
/// it: on a database server what was promised under a lower or no limit is taken back (ADR 13).
/// Pushes of before that have not ended yet still count under the old limit, and one into a project
/// that had no limit is not refused. Nothing is removed from a project that uses more. Errors:
/// kNotFound + kQuota when the project has no quota row.
Result<void> set_storage_limit(db::WriteSession& session, ProjectId project, std::int64_t bytes);

}  // namespace roadstead::registry
