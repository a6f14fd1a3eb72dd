#include <algorithm>
#include <array>

#include "base/text.h"
#include "gc/internal/run_rows.h"
#include "gc/run.h"
#include "replica/replica.h"

namespace roadstead::gc {
namespace {

constexpr std::array<std::string_view, 5> kStatuses{"Pending", "Running", "Success", "Stopped",
                                                    "Error"};
constexpr std::array<std::string_view, 2> kCauses{"manual", "interval"};
constexpr std::int64_t kForgetPage = 900;

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto* const found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? N - 1 : static_cast<std::size_t>(found - names.begin());
}

constexpr std::string_view kRunQuery =
    "SELECT id, cause, status, operator, delete_untagged, dry_run, workers, reviewed, condemned, "
    "purged_blobs, purged_manifests, purged_artifacts, freed_space, message, creation_time, "
    "update_time, replica FROM gc_run";

Run run_from(const db::Row& row) {
  Run run;
  run.id = row.id<RunId>(0);
  run.cause = static_cast<Cause>(index_of(kCauses, row.text(1)));
  run.status = static_cast<Status>(index_of(kStatuses, row.text(2)));
  run.operator_name = row.text(3);
  run.parameters = {row.boolean(4), row.boolean(5), row.integer(6)};
  run.counters = {row.integer(7),  row.integer(8),  row.integer(9),
                  row.integer(10), row.integer(11), row.integer(12)};
  run.message = row.text(13);
  run.creation_time = row.time(14);
  run.update_time = row.time(15);
  run.replica = row.text(16);
  return run;
}

/// Whether a row of the few that are kept passes the filters that the list knows.
bool passes(const Run& run, const auth::ListQuery& query) {
  const auto is = [&](std::string_view key, std::string_view value) {
    const auth::Filter* filter = query.find(key);
    return filter == nullptr || filter->values.empty() ||
           equals_ignoring_case(filter->values.front(), value);
  };
  return is("status", to_string(run.status)) && is("id", std::to_string(run.id.value));
}

bool oldest_first(const auth::ListQuery& query) {
  return !query.sort.empty() && !query.sort.front().descending &&
         (query.sort.front().key == "id" || query.sort.front().key == "creation_time");
}

}  // namespace

std::string_view to_string(Status status) {
  return kStatuses.at(static_cast<std::size_t>(status));
}

Result<auth::Page<Run>> list_runs(db::ReadSession& session, const auth::ListQuery& query) {
  static const std::string kSql = std::string(kRunQuery) + " ORDER BY id DESC LIMIT ?";
  auto runs = TRY(session.all(kSql, {kRunsKept}, run_from));
  std::erase_if(runs, [&](const Run& run) { return !passes(run, query); });
  if (oldest_first(query)) {
    std::reverse(runs.begin(), runs.end());
  }
  auth::Page<Run> page;
  page.total = static_cast<std::int64_t>(runs.size());
  const auto begin = std::min(query.offset(), page.total);
  const auto end = std::min(begin + query.limit(), page.total);
  page.items.assign(std::make_move_iterator(runs.begin() + begin),
                    std::make_move_iterator(runs.begin() + end));
  return page;
}

Result<std::optional<Run>> find_run(db::ReadSession& session, RunId id) {
  static const std::string kSql = std::string(kRunQuery) + " WHERE id = ?";
  return session.first(kSql, {id}, run_from);
}

Result<std::vector<LogLine>> read_log(db::ReadSession& session, RunId id, std::int64_t after,
                                      std::size_t count) {
  return session.all(
      "SELECT id, op_time, line FROM gc_log WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?",
      {id, after, count}, [](const db::Row& row) {
        return LogLine{row.integer(0), row.time(1), std::string(row.text(2))};
      });
}

namespace internal {

Result<RunId> insert_run(db::WriteSession& session, const Run& run) {
  const Time now = session.now();
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO gc_run (cause, status, operator, delete_untagged, dry_run, workers, reviewed, "
      "condemned, purged_blobs, purged_manifests, purged_artifacts, freed_space, message, "
      "creation_time, update_time, replica) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, '', ?, ?, "
      "?)",
      {kCauses.at(static_cast<std::size_t>(run.cause)), to_string(run.status), run.operator_name,
       run.parameters.delete_untagged, run.parameters.dry_run, run.parameters.workers, now, now,
       run.replica}));
  return RunId{id};
}

Result<RunId> request_run(db::WriteSession& session, const Run& run, std::string_view self) {
  TRY(replica::lock_turn(session, "gc request"));
  TRY(end_interrupted(session, self));
  const auto other = TRY(session.first(
      "SELECT 1 FROM gc_run WHERE cause = 'manual' AND status IN ('Pending', 'Running') LIMIT 1",
      {}, [](const db::Row&) { return true; }));
  if (other) {
    return Error{Code::kConflict, Subject::kRequest, "a garbage collection is running already", {}};
  }
  return insert_run(session, run);
}

Result<std::optional<Run>> claim_run(db::WriteSession& session, std::string_view replica) {
  static const std::string kSql =
      std::string(kRunQuery) + " WHERE status = 'Pending' ORDER BY id LIMIT 1";
  auto run = TRY(session.first(kSql, {}, run_from));
  if (!run) {
    return run;
  }
  const std::int64_t claimed = TRY(session.execute(
      "UPDATE gc_run SET status = 'Running', replica = ?, update_time = ? WHERE id = ? AND status "
      "= 'Pending'",
      {replica, session.now(), run->id}));
  if (claimed == 0) {
    return std::optional<Run>();
  }
  run->replica = replica;
  return run;
}

Result<bool> save_run(db::WriteSession& session, const Run& run,
                      const std::vector<std::string>& lines) {
  const Counters& counters = run.counters;
  TRY(session.execute(
      "UPDATE gc_run SET status = ?, reviewed = ?, condemned = ?, purged_blobs = ?, "
      "purged_manifests = ?, purged_artifacts = ?, freed_space = ?, message = ?, update_time = ? "
      "WHERE id = ?",
      {to_string(run.status), counters.reviewed, counters.condemned, counters.purged_blobs,
       counters.purged_manifests, counters.purged_artifacts, counters.freed_space, run.message,
       session.now(), run.id}));
  for (const std::string& line : lines) {
    TRY(session.insert("INSERT INTO gc_log (run_id, op_time, line) VALUES (?, ?, ?)",
                       {run.id, session.now(), line}));
  }
  const auto stop = TRY(session.first("SELECT stop_requested FROM gc_run WHERE id = ?", {run.id},
                                      [](const db::Row& row) { return row.boolean(0); }));
  return stop.value_or(false);
}

Result<void> request_stop(db::WriteSession& session, RunId id) {
  TRY(session.execute("UPDATE gc_run SET stop_requested = 1 WHERE id = ?", {id}));
  return {};
}

Result<std::int64_t> end_interrupted(db::WriteSession& session, std::string_view self) {
  const Time now = session.now();
  return session.execute(
      "UPDATE gc_run SET status = 'Error', message = 'the process ended before the run; the next "
      "one goes on where it stopped', update_time = ? WHERE status = 'Running' AND replica <> ? "
      "AND "
      "NOT EXISTS (SELECT 1 FROM replica r WHERE r.id = gc_run.replica AND r.heartbeat_at > ?)",
      {now, self, now - replica::kSilenceMax});
}

Result<bool> forget_old_runs(db::WriteSession& session) {
  const auto oldest_kept =
      TRY(session.first("SELECT id FROM gc_run ORDER BY id DESC LIMIT 1 OFFSET ?", {kRunsKept - 1},
                        [](const db::Row& row) { return row.integer(0); }));
  if (!oldest_kept) {
    return true;
  }
  const auto lines = TRY(
      session.all("SELECT id FROM gc_log WHERE run_id < ? ORDER BY run_id, id LIMIT ?",
                  {*oldest_kept, kForgetPage}, [](const db::Row& row) { return row.integer(0); }));
  for (const std::int64_t line : lines) {
    TRY(session.execute("DELETE FROM gc_log WHERE id = ?", {line}));
  }
  if (!lines.empty()) {
    return false;
  }
  TRY(session.execute("DELETE FROM gc_run WHERE id < ?", {*oldest_kept}));
  return true;
}

}  // namespace internal
}  // namespace roadstead::gc
