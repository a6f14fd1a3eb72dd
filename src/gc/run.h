#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/list_query.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::gc {

using RunId = StrongId<struct RunTag>;

/// What a run is asked to do. Names and limits are Harbor's.
struct Parameters {
  static constexpr std::int64_t kWorkersMax = 10;
  bool delete_untagged = false;
  bool dry_run = false;
  std::int64_t workers = 1;  ///< Threads that remove content from the store.
};

enum class Cause : std::uint8_t {
  kManual,
  kInterval,  ///< The collector by itself. Such a run is kept only when it removed something.
};
enum class Status : std::uint8_t { kPending, kRunning, kSuccess, kStopped, kError };
std::string_view to_string(Status status);  ///< "Success", as Harbor calls it.

struct Counters {
  std::int64_t reviewed = 0;
  std::int64_t condemned = 0;
  std::int64_t purged_blobs = 0;
  std::int64_t purged_manifests = 0;
  std::int64_t purged_artifacts = 0;
  std::int64_t freed_space = 0;  ///< Bytes; of a dry run, those that a run would free.
};

struct Run {
  RunId id;
  Cause cause = Cause::kManual;
  Status status = Status::kPending;
  std::string operator_name;
  Parameters parameters;
  Counters counters;
  std::string message;  ///< Why it failed.
  Time creation_time;
  Time update_time;
  std::string replica;  ///< That runs it; empty until one has taken it.
  [[nodiscard]] bool over() const { return status > Status::kRunning; }
};

/// Newest first. Filters: status, id. At most the runs that are kept (kRunsKept).
Result<auth::Page<Run>> list_runs(db::ReadSession& session, const auth::ListQuery& query);
Result<std::optional<Run>> find_run(db::ReadSession& session, RunId id);

struct LogLine {
  std::int64_t id = 0;
  Time time;
  std::string text;
};
/// A page of the log after the line `after`, oldest first.
Result<std::vector<LogLine>> read_log(db::ReadSession& session, RunId id, std::int64_t after,
                                      std::size_t count);
/// How many runs and how many lines of each are kept.
inline constexpr std::size_t kRunsKept = 50;
inline constexpr std::size_t kLogLinesMax = 10'000;

}  // namespace roadstead::gc
