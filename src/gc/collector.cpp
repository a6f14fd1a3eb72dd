#include "gc/collector.h"

#include <condition_variable>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "base/guarded.h"
#include "gc/internal/run_rows.h"
#include "gc/internal/runner.h"

namespace roadstead::gc {
namespace {

using internal::Runner;
using std::chrono::steady_clock;

constexpr std::chrono::hours kNever{24 * 365};
constexpr int kForgetPages = 100;
/// How often another replica's requests are looked for, and a turn that another has.
constexpr std::chrono::seconds kLookEvery{2};
/// How often somebody who waits for a run looks at it.
constexpr std::chrono::milliseconds kWatchEvery{200};
constexpr std::string_view kTurn = "collector";

Error no_such_run(RunId id) {
  return Error{Code::kNotFound, Subject::kRequest,
               fmt::format("garbage collection execution {} not found", id.value),
               std::to_string(id.value)};
}

Result<void> check(const Parameters& parameters) {
  if (parameters.workers < 1 || parameters.workers > Parameters::kWorkersMax) {
    return Error{Code::kInvalid, Subject::kRequest,
                 fmt::format("Error: Invalid number of workers:{}. Workers must be greater than 0 "
                             "and less than or equal to {}.",
                             parameters.workers, Parameters::kWorkersMax),
                 "workers"};
  }
  return {};
}

void add(Counters& sum, const Counters& more) {
  sum.reviewed += more.reviewed;
  sum.condemned += more.condemned;
  sum.purged_blobs += more.purged_blobs;
  sum.purged_manifests += more.purged_manifests;
  sum.purged_artifacts += more.purged_artifacts;
  sum.freed_space += more.freed_space;
}

}  // namespace

struct Collector::State {
  State(Parts its_parts, Settings its_settings)
      : parts(its_parts), settings(std::move(its_settings)), guard(parts.options.grace) {}

  struct Desk {
    bool poked = false;  ///< Somebody here has asked for a run.
    RunId running;       ///< 0: none, or one by the interval.
    bool busy = false;
    RunId to_stop;
    bool quit = false;
    Totals totals;
    [[nodiscard]] bool stopping() const { return to_stop.value != 0 && to_stop == running; }
    [[nodiscard]] bool wanted() const { return quit || poked || stopping(); }
  };

  void work();
  /// Waits for something to do. Nothing: the thread is to end.
  std::optional<Run> next(steady_clock::time_point due);
  std::optional<Run> claim();
  Run begin(Run run);
  void execute(Run run);
  Runner::Interrupt interrupt(Cause cause);
  void forget_old();

  Parts parts;
  Settings settings;
  internal::ClockGuard guard;
  Guarded<Desk> desk;
  std::condition_variable changed;
  std::jthread thread;
};

void Collector::State::work() {
  const auto ended = parts.database.write([&](db::WriteSession& session) {
    return internal::end_interrupted(session, parts.member.id());
  });
  if (!ended) {
    parts.logger.warning("interrupted garbage collections were not marked",
                         {{"reason", ended.error().message}});
  }
  const auto interval = settings.interval.count() > 0 ? settings.interval : kNever;
  // The first one at once: a process that was stopped left its work.
  auto due =
      steady_clock::now() + (settings.interval.count() > 0 ? std::chrono::seconds{0} : kNever);
  for (auto run = next(due); run; run = next(due)) {
    execute(std::move(*run));
    forget_old();
    due = steady_clock::now() + interval;
  }
}

std::optional<Run> Collector::State::claim() {
  auto run = parts.database.write(
      [&](db::WriteSession& session) { return internal::claim_run(session, parts.member.id()); });
  return run ? std::move(*run) : std::nullopt;  // A database that is away is asked again.
}

Run Collector::State::begin(Run run) {
  desk.with([&](Desk& state) {
    state.running = run.id;
    state.busy = true;
  });
  return run;
}

std::optional<Run> Collector::State::next(steady_clock::time_point due) {
  bool look = true;  // A process before this one may have left a request.
  for (;;) {
    if (look) {
      if (auto run = claim()) {
        return begin(std::move(*run));
      }
    }
    if (steady_clock::now() >= due) {
      if (parts.member.has_turn(kTurn)) {
        Run run;
        run.cause = Cause::kInterval;
        run.parameters.delete_untagged = settings.delete_untagged;
        return begin(std::move(run));
      }
      due = steady_clock::now() + kLookEvery;
    }
    const bool alone = parts.database.reads_are_local();
    const auto until = alone ? due : std::min(due, steady_clock::now() + kLookEvery);
    const auto wait = std::max(until - steady_clock::now(), steady_clock::duration::zero());
    const bool quit = desk.wait_for(
        changed, wait, [](const Desk& state) { return state.quit || state.poked; },
        [&](Desk& state) {
          look = !alone || state.poked;
          state.poked = false;
          return state.quit;
        });
    if (quit) {
      return std::nullopt;
    }
  }
}

Runner::Interrupt Collector::State::interrupt(Cause cause) {
  return desk.with([&](const Desk& state) {
    if (state.quit) {
      return Runner::Interrupt::kShutdown;
    }
    if (state.stopping()) {
      return Runner::Interrupt::kStopped;
    }
    return cause == Cause::kInterval && state.poked ? Runner::Interrupt::kGivesWay
                                                    : Runner::Interrupt::kNone;
  });
}

void Collector::State::execute(Run run) {
  const Cause cause = run.cause;
  Runner::Control control;
  control.interrupt = [this, cause] { return interrupt(cause); };
  control.rest = [this](std::chrono::microseconds limit) {
    desk.wait_for(changed, limit, [](const Desk& state) { return state.wanted(); }, [](Desk&) {});
  };
  const Run ended = Runner(parts, settings, guard, control, std::move(run)).execute();
  desk.with([&](Desk& state) {
    if (!ended.parameters.dry_run) {
      add(state.totals.counters, ended.counters);
    }
    ++state.totals.runs;
    state.totals.failed_runs += ended.status == Status::kError ? 1 : 0;
    state.running = {};
    state.busy = false;
  });
  changed.notify_all();
}

void Collector::State::forget_old() {
  for (int page = 0; page < kForgetPages; ++page) {
    const auto done = parts.database.write(
        [](db::WriteSession& session) { return internal::forget_old_runs(session); },
        db::Durability::kProcessDeath);
    if (!done || *done) {
      return;  // What is left is forgotten after the next run.
    }
  }
}

Collector::Collector(Parts parts, Settings settings)
    : state_(std::make_unique<State>(parts, std::move(settings))) {
  if (state_->settings.works) {
    state_->thread = std::jthread([state = state_.get()] { state->work(); });
  }
}

Collector::~Collector() {
  state_->desk.with([](State::Desk& desk) { desk.quit = true; });
  state_->changed.notify_all();
}

Result<RunId> Collector::trigger(const Parameters& parameters, std::string_view operator_name) {
  TRY(check(parameters));
  Run run;
  run.parameters = parameters;
  run.operator_name = operator_name;
  const RunId id = TRY(state_->parts.database.write([&](db::WriteSession& session) {
    return internal::request_run(session, run, state_->parts.member.id());
  }));
  state_->desk.with([](State::Desk& desk) { desk.poked = true; });
  state_->changed.notify_all();
  return id;
}

Result<void> Collector::stop(RunId id) {
  const auto run = TRY(
      state_->parts.database.read([&](db::ReadSession& session) { return find_run(session, id); }));
  if (!run) {
    return no_such_run(id);
  }
  if (run->over()) {
    return {};
  }
  // Whoever runs it, or takes it first, finds this at its next step.
  TRY(state_->parts.database.write(
      [&](db::WriteSession& session) { return internal::request_stop(session, id); }));
  state_->desk.with([&](State::Desk& desk) { desk.to_stop = id; });
  state_->changed.notify_all();
  return {};
}

Result<Run> Collector::wait(RunId id, std::chrono::milliseconds limit) {
  const auto until = steady_clock::now() + limit;
  for (;;) {
    auto run = TRY(state_->parts.database.read(
        [&](db::ReadSession& session) { return find_run(session, id); }));
    if (!run) {
      return no_such_run(id);
    }
    const auto left = until - steady_clock::now();
    if (run->over() || left <= steady_clock::duration::zero()) {
      return std::move(*run);
    }
    const bool quit = state_->desk.wait_for(
        state_->changed, std::min<steady_clock::duration>(left, kWatchEvery),
        [](const State::Desk& desk) { return desk.quit; },
        [](const State::Desk& desk) { return desk.quit; });
    if (quit) {
      return std::move(*run);
    }
  }
}

Collector::Totals Collector::totals() const {
  return state_->desk.with([](const State::Desk& desk) {
    Totals totals = desk.totals;
    totals.running = desk.busy;
    return totals;
  });
}

}  // namespace roadstead::gc
