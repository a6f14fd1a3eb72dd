#include "gc/internal/runner.h"

#include <algorithm>

#include <fmt/format.h>

#include "gc/internal/run_rows.h"

namespace roadstead::gc::internal {
namespace {

using registry::Removed;
using std::chrono::steady_clock;

constexpr std::size_t kReviewPage = 100;
/// As many as a transaction may have rows: their directories are synced once for all of them.
constexpr std::size_t kStorePage = 800;
constexpr std::size_t kTrashPage = 300;
constexpr std::size_t kUntaggedPage = 200;
/// Steps of one kind in a run: far above what is ever due, so that a run comes to an end.
constexpr int kStepsMax = 1'000'000;
/// Without a grace period something is condemned in one pass, removed in the next, and what it held
/// in those after it.
constexpr int kPassesMax = 10;
constexpr std::size_t kPlanMax = 200'000;

constexpr std::chrono::minutes kJump{1};
constexpr std::chrono::seconds kSaveEvery{1};
/// Requests a second from which on the process counts as busy.
constexpr double kBusy = 50;
/// While it is, of ten parts of time nine are for others.
constexpr int kRestShare = 9;
/// The same when questions have waited for long: what is left undone must not grow for ever.
constexpr int kRestShareLate = 1;
constexpr std::chrono::minutes kLate{2};
constexpr std::chrono::milliseconds kRestMax{250};

std::chrono::microseconds since(steady_clock::time_point begun) {
  return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun);
}

}  // namespace

bool ClockGuard::may_purge(Time now, steady_clock::time_point steady) {
  if (last_ != Time{}) {
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::microseconds>(steady - last_steady_);
    if (now - last_ > elapsed + kJump) {
      hold_until_ = steady + grace_;
    }
  }
  last_ = now;
  last_steady_ = steady;
  return steady >= hold_until_;
}

Runner::Runner(const Collector::Parts& parts, const Collector::Settings& settings,
               ClockGuard& guard, Control control, Run run)
    : parts_(parts),
      settings_(settings),
      guard_(guard),
      control_(std::move(control)),
      run_(std::move(run)),
      answered_(settings.answered ? settings.answered() : 0),
      looked_at_(steady_clock::now()) {}

Run Runner::execute() {
  run_.status = Status::kRunning;
  run_.replica = parts_.member.id();
  begin_log();
  Result<void> outcome = run_.cause == Cause::kManual ? save() : Result<void>();
  if (outcome && stop_wanted_) {
    interrupted_ = Interrupt::kStopped;
  } else if (outcome) {
    outcome = take_steps();
  }
  end(outcome);
  return run_;
}

Result<void> Runner::take_steps() {
  if (run_.parameters.dry_run) {
    return rehearse();
  }
  TRY(review_all());
  if (run_.parameters.delete_untagged && interrupted_ == Interrupt::kNone) {
    TRY(condemn_all());
    TRY(review_all());
  }
  if (run_.cause == Cause::kManual) {
    say(fmt::format("{} blobs and {} manifests eligible for deletion", run_.counters.purged_blobs,
                    run_.counters.purged_manifests));
  }
  return empty_store_queue();
}

Result<void> Runner::rehearse() {
  const auto plan = TRY(registry::plan_collection(parts_.database, parts_.options,
                                                  run_.parameters.delete_untagged, kPlanMax));
  std::for_each(plan.removed.begin(), plan.removed.end(),
                [&](const Removed& removed) { count(removed); });
  say(fmt::format("{} blobs and {} manifests eligible for deletion", run_.counters.purged_blobs,
                  run_.counters.purged_manifests));
  for (const Removed& removed : plan.removed) {
    constexpr std::array<std::string_view, 3> kKinds{"artifact", "manifest", "blob"};
    say(fmt::format("{} eligible for deletion: {}",
                    kKinds.at(static_cast<std::size_t>(removed.kind)), removed.name));
  }
  if (!plan.complete) {
    say(fmt::format("there is more: only the first {} of a kind are looked at", kPlanMax));
  }
  return {};
}

Result<void> Runner::review_all() {
  bool changes = true;
  for (int pass = 0; pass < kPassesMax && changes && interrupted_ == Interrupt::kNone; ++pass) {
    changes = TRY(review_what_is_due());
  }
  return {};
}

Result<bool> Runner::review_what_is_due() {
  const auto now = [&] {
    return parts_.database.read(
        [](db::ReadSession& session) -> Result<Time> { return session.now(); });
  };
  const Time until = TRY(now());
  bool changes = false;
  for (int steps = 0; steps < kStepsMax; ++steps) {
    const auto begun = steady_clock::now();
    const Time asked_at = TRY(now());
    const bool may_purge = guard_.may_purge(asked_at, begun);
    const auto page =
        TRY(registry::review_due(parts_.database, parts_.options,
                                 {.count = kReviewPage, .until = until, .purge = may_purge}));
    run_.counters.reviewed += static_cast<std::int64_t>(page.reviewed);
    run_.counters.condemned += page.condemned;
    std::for_each(page.removed.begin(), page.removed.end(),
                  [&](const Removed& removed) { count(removed); });
    if (page.postponed > 0) {
      say(fmt::format("{} questions were put off for an hour: {}", page.postponed, page.problem));
      parts_.logger.error("garbage collection: something could not be decided",
                          {{"reason", page.problem}});
    }
    changes = changes || page.condemned > 0 || !page.removed.empty();
    late_ = page.oldest < asked_at - kLate;
    std::size_t forgotten = 0;
    if (page.reviewed == 0) {
      forgotten = TRY(registry::forget_trash(parts_.database, parts_.options, kTrashPage));
      changes = changes || forgotten > 0;
    }
    if ((page.reviewed == 0 && forgotten == 0) || !TRY(step_done(page.worked))) {
      break;
    }
  }
  return changes;
}

Result<void> Runner::condemn_all() {
  ArtifactId after{};
  for (int steps = 0; steps < kStepsMax; ++steps) {
    const auto begun = steady_clock::now();
    const auto page =
        TRY(registry::condemn_untagged(parts_.database, parts_.options, after, kUntaggedPage));
    after = page.last;
    run_.counters.condemned += page.condemned;
    if (page.looked_at == 0 || !TRY(step_done(since(begun)))) {
      break;
    }
  }
  return {};
}

Result<void> Runner::empty_store_queue() {
  const auto workers = static_cast<std::size_t>(run_.parameters.workers);
  for (int steps = 0; steps < kStepsMax && interrupted_ == Interrupt::kNone; ++steps) {
    const auto begun = steady_clock::now();
    const auto digests = TRY(registry::remove_from_store(parts_.database, parts_.store,
                                                         parts_.locks, {kStorePage, workers}));
    for (const std::string& digest : digests) {
      say("delete blob from storage: " + digest);
    }
    if (digests.empty() || !TRY(step_done(since(begun)))) {
      break;
    }
  }
  return {};
}

void Runner::count(const Removed& removed) {
  run_.counters.freed_space += removed.size;
  switch (removed.kind) {
    case Removed::Kind::kArtifact:
      ++run_.counters.purged_artifacts;
      break;
    case Removed::Kind::kManifest:
      ++run_.counters.purged_manifests;
      break;
    case Removed::Kind::kBlob:
      ++run_.counters.purged_blobs;
      break;
  }
  if (run_.parameters.dry_run || removed.kind == Removed::Kind::kBlob) {
    return;  // Said where it is listed, or when its bytes go.
  }
  say(fmt::format("delete {}: {}",
                  removed.kind == Removed::Kind::kArtifact ? "untagged artifact" : "manifest",
                  removed.name));
}

Result<bool> Runner::step_done(std::chrono::microseconds worked) {
  if (!lines_.empty() || steady_clock::now() - saved_at_ >= kSaveEvery) {
    TRY(save());
  }
  make_way(worked);
  interrupted_ = control_.interrupt();
  if (interrupted_ == Interrupt::kNone && stop_wanted_) {
    interrupted_ = Interrupt::kStopped;
  }
  return interrupted_ == Interrupt::kNone;
}

void Runner::make_way(std::chrono::microseconds worked) {
  if (!settings_.answered) {
    return;
  }
  const std::uint64_t answered = settings_.answered();
  const auto now = steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - looked_at_).count();
  const bool busy = static_cast<double>(answered - answered_) > kBusy * seconds;
  answered_ = answered;
  looked_at_ = now;
  if (busy) {
    control_.rest(std::min<std::chrono::microseconds>(
        worked * (late_ ? kRestShareLate : kRestShare), kRestMax));
  }
}

void Runner::begin_log() {
  if (run_.cause != Cause::kManual) {
    return;
  }
  say("start to run gc in job.");
  say(
      fmt::format("Garbage Collection parameters: [delete_untagged: {}, dry_run: {}, time_window: "
                  "{:.4g} hours]",
                  run_.parameters.delete_untagged, run_.parameters.dry_run,
                  std::chrono::duration<double, std::ratio<3600>>(parts_.options.grace).count()));
  say(fmt::format("workers: {}", run_.parameters.workers));
}

void Runner::say(std::string line) {
  if (lines_said_ == kLogLinesMax) {
    line = "the log is full: further lines are left out";
  }
  if (lines_said_++ <= kLogLinesMax) {
    lines_.push_back(std::move(line));
  }
}

void Runner::end(const Result<void>& outcome) {
  if (!outcome) {
    run_.status = Status::kError;
    run_.message = outcome.error().message;
    parts_.logger.error("garbage collection failed", {{"reason", run_.message}});
    say("failed: " + run_.message);
  } else if (interrupted_ == Interrupt::kStopped || interrupted_ == Interrupt::kShutdown) {
    run_.status = Status::kStopped;
    run_.message = interrupted_ == Interrupt::kStopped ? "" : "the server was stopped";
    say("stopped; the next run goes on here");
  } else {
    run_.status = Status::kSuccess;
  }
  say(fmt::format(
      "{} blobs, {} manifests and {} untagged artifacts {}, {} were condemned; the freed space is "
      "{} bytes",
      run_.counters.purged_blobs, run_.counters.purged_manifests, run_.counters.purged_artifacts,
      run_.parameters.dry_run ? "would be removed" : "were removed", run_.counters.condemned,
      run_.counters.freed_space));
  if (const auto saved = save(); !saved) {
    parts_.logger.error("the end of a garbage collection was not recorded",
                        {{"reason", saved.error().message}});
  }
}

Result<void> Runner::save() {
  const Counters& counters = run_.counters;
  if (run_.cause == Cause::kInterval && run_.id.value == 0 &&
      counters.purged_blobs + counters.purged_manifests + counters.purged_artifacts == 0) {
    lines_.clear();
    return {};
  }
  RunId id = run_.id;
  bool stop = false;
  // For people to read: not worth a sync.
  const auto write = [&](db::WriteSession& session) -> Result<void> {
    Run row = run_;
    if (row.id.value == 0) {
      row.id = TRY(insert_run(session, row));
    }
    id = row.id;
    stop = TRY(save_run(session, row, lines_));
    return {};
  };
  TRY(parts_.database.write(write, db::Durability::kProcessDeath));
  run_.id = id;
  stop_wanted_ = stop;
  lines_.clear();
  saved_at_ = steady_clock::now();
  return {};
}

}  // namespace roadstead::gc::internal
