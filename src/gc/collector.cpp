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
    std::optional<Run> requested;
    RunId running;  ///< 0: none, or one by the interval.
    bool busy = false;
    RunId to_stop;
    bool quit = false;
    Totals totals;
    [[nodiscard]] bool stopping() const { return to_stop.value != 0 && to_stop == running; }
    [[nodiscard]] bool wanted() const { return quit || requested || stopping(); }
  };

  void work();
  /// Waits for something to do. Nothing: the thread is to end.
  std::optional<Run> next(steady_clock::time_point due);
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
  const auto ended = parts.database.write(
      [](db::WriteSession& session) { return internal::end_interrupted(session); });
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

std::optional<Run> Collector::State::next(steady_clock::time_point due) {
  const auto wait = std::max(due - steady_clock::now(), steady_clock::duration::zero());
  return desk.wait_for(
      changed, wait, [](const Desk& state) { return state.quit || state.requested; },
      [&](Desk& state) -> std::optional<Run> {
        if (state.quit) {
          return std::nullopt;
        }
        Run run;
        if (state.requested) {
          run = *std::exchange(state.requested, std::nullopt);
        } else {
          run.cause = Cause::kInterval;
          run.parameters.delete_untagged = settings.delete_untagged;
        }
        state.running = run.id;
        state.busy = true;
        return run;
      });
}

Runner::Interrupt Collector::State::interrupt(Cause cause) {
  return desk.with([&](const Desk& state) {
    if (state.quit) {
      return Runner::Interrupt::kShutdown;
    }
    if (state.stopping()) {
      return Runner::Interrupt::kStopped;
    }
    return cause == Cause::kInterval && state.requested ? Runner::Interrupt::kGivesWay
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
  state_->thread = std::jthread([state = state_.get()] { state->work(); });
}

Collector::~Collector() {
  state_->desk.with([](State::Desk& desk) { desk.quit = true; });
  state_->changed.notify_all();
}

Result<RunId> Collector::trigger(const Parameters& parameters, std::string_view operator_name) {
  TRY(check(parameters));
  const auto refuse = [](const State::Desk& desk) {
    return desk.requested.has_value() || desk.running.value != 0;
  };
  const Error running{
      Code::kConflict, Subject::kRequest, "a garbage collection is running already", {}};
  if (state_->desk.with(refuse)) {
    return running;
  }
  Run run;
  run.parameters = parameters;
  run.operator_name = operator_name;
  run.id = TRY(state_->parts.database.write(
      [&](db::WriteSession& session) { return internal::insert_run(session, run); }));
  const bool taken = state_->desk.with([&](State::Desk& desk) {
    if (refuse(desk)) {
      return false;
    }
    desk.requested = run;
    return true;
  });
  if (!taken) {  // Somebody was faster.
    run.status = Status::kError;
    run.message = running.message;
    TRY(state_->parts.database.write(
        [&](db::WriteSession& session) { return internal::save_run(session, run, {}); }));
    return running;
  }
  state_->changed.notify_all();
  return run.id;
}

Result<void> Collector::stop(RunId id) {
  const auto run = TRY(
      state_->parts.database.read([&](db::ReadSession& session) { return find_run(session, id); }));
  if (!run) {
    return no_such_run(id);
  }
  state_->desk.with([&](State::Desk& desk) {
    // One that has not begun is taken by the thread first and then ends at its first step.
    if (!run->over()) {
      desk.to_stop = id;
    }
  });
  state_->changed.notify_all();
  return {};
}

Result<Run> Collector::wait(RunId id, std::chrono::milliseconds limit) {
  state_->desk.wait_for(
      state_->changed, limit,
      [&](const State::Desk& desk) {
        return desk.quit || (desk.running != id && !(desk.requested && desk.requested->id == id));
      },
      [](State::Desk&) {});
  const auto run = TRY(
      state_->parts.database.read([&](db::ReadSession& session) { return find_run(session, id); }));
  if (!run) {
    return no_such_run(id);
  }
  return *run;
}

Collector::Totals Collector::totals() const {
  return state_->desk.with([](const State::Desk& desk) {
    Totals totals = desk.totals;
    totals.running = desk.busy;
    return totals;
  });
}

}  // namespace roadstead::gc
