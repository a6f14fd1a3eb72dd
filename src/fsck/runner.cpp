#include "fsck/runner.h"

#include <condition_variable>
#include <thread>
#include <utility>

#include "base/guarded.h"

namespace roadstead::fsck {
namespace {

struct Run {
  std::shared_ptr<Check> check;  // Of the thread that runs it and of whoever asks for its stage.
  std::optional<Result<Report>> outcome;
};

}  // namespace

struct Runner::State {
  State(Check::Parts check_parts, log::Logger own_logger)
      : parts(check_parts), logger(own_logger) {}

  Check::Parts parts;
  log::Logger logger;
  Guarded<Run> run;
  std::condition_variable ended;
  std::jthread thread;

  void work(const std::stop_token& stop, const std::shared_ptr<Check>& check) {
    auto outcome = check->run(stop);
    if (!outcome && stop.stop_requested()) {
      logger.info("the check was stopped");
    } else if (!outcome) {
      logger.error("the check did not come to its end", {{"error", describe(outcome.error())}});
    } else if (outcome->found() > 0) {
      logger.warning("the check found something",
                     {{"found", outcome->found()}, {"repaired", outcome->repaired()}});
    } else {
      logger.info("the check found nothing");
    }
    run.with([&](Run& now) {
      now.outcome = std::move(outcome);
      now.check.reset();
    });
    ended.notify_all();
  }
};

Runner::Runner(Check::Parts parts, log::Logger logger)
    : state_(std::make_unique<State>(parts, logger)) {}

Runner::~Runner() = default;

Result<void> Runner::start(const CheckOptions& options) {
  auto check = std::make_shared<Check>(state_->parts, options);
  const bool entered = state_->run.with([&](Run& run) {
    if (run.check) {
      return false;
    }
    run.check = check;
    run.outcome.reset();
    return true;
  });
  if (!entered) {
    return Error{Code::kConflict, Subject::kRequest, "a check is running already", {}};
  }
  // The thread of the check before has ended its work, so this waits for nothing.
  state_->thread = std::jthread(
      [state = state_.get(), check](const std::stop_token& stop) { state->work(stop, check); });
  return {};
}

Runner::Status Runner::wait(std::chrono::milliseconds limit) const {
  const auto idle = [](const Run& run) { return run.check == nullptr; };
  return state_->run.wait_for(state_->ended, limit, idle, [](const Run& run) {
    Status status;
    status.running = run.check != nullptr;
    if (run.check) {
      status.stage = run.check->stage();
    }
    status.outcome = run.outcome;
    return status;
  });
}

}  // namespace roadstead::fsck
