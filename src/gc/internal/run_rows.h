#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "db/database.h"
#include "gc/run.h"

namespace roadstead::gc::internal {

Result<RunId> insert_run(db::WriteSession& session, const Run& run);
/// Status, counters and message of the row, and more lines of its log.
Result<void> save_run(db::WriteSession& session, const Run& run,
                      const std::vector<std::string>& lines);
/// Runs that a process did not live to end: kError. How many there were.
Result<std::int64_t> end_interrupted(db::WriteSession& session);
/// Removes what is older than the newest kRunsKept, at most 1,000 rows at a time. True when nothing
/// is left to remove.
Result<bool> forget_old_runs(db::WriteSession& session);

}  // namespace roadstead::gc::internal
