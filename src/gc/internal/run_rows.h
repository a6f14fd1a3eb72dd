#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "db/database.h"
#include "gc/run.h"

namespace roadstead::gc::internal {

Result<RunId> insert_run(db::WriteSession& session, const Run& run);
/// As above, for a run that somebody asks for: kConflict + kRequest while such a one is not over.
Result<RunId> request_run(db::WriteSession& session, const Run& run, std::string_view self);
/// The oldest run that nobody has taken yet, now this replica's.
Result<std::optional<Run>> claim_run(db::WriteSession& session, std::string_view replica);
/// Status, counters and message of the row, and more lines of its log. Whether somebody wants it to
/// stop.
Result<bool> save_run(db::WriteSession& session, const Run& run,
                      const std::vector<std::string>& lines);
/// Asks whoever runs it, or will, to stop.
Result<void> request_stop(db::WriteSession& session, RunId id);
/// Runs that another process than this replica did not live to end: kError. How many there were.
Result<std::int64_t> end_interrupted(db::WriteSession& session, std::string_view self);
/// Removes what is older than the newest kRunsKept, at most 1,000 rows at a time. True when nothing
/// is left to remove.
Result<bool> forget_old_runs(db::WriteSession& session);

}  // namespace roadstead::gc::internal
