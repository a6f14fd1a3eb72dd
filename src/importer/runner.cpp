#include "importer/runner.h"

#include <condition_variable>
#include <thread>
#include <utility>

#include "auth/user_store.h"
#include "base/guarded.h"

namespace roadstead::importer {
namespace {

/// One import with all that it works with.
struct Job {
  Job(const Runner::Parts& parts, auth::Principal owner, std::unique_ptr<SourceTree> tree,
      const ImportOptions& options)
      : administrator(std::move(owner)),
        source(std::move(tree)),
        work({parts.database, parts.store, parts.locks, parts.options, administrator}, *source,
             options) {}

  auth::Principal administrator;
  std::unique_ptr<SourceTree> source;
  DistributionImport work;
};

struct Run {
  std::shared_ptr<Job> job;  // Of the thread that runs it and of whoever asks how far it is.
  std::optional<Result<ImportReport>> outcome;
};

Result<auth::Principal> administrator(db::Database& database) {
  if (!TRY(auth::has_administrator(database))) {
    return Error{Code::kNotFound,
                 Subject::kUser,
                 "there is no administrator yet: start the server once",
                 {}};
  }
  auth::Principal principal;
  principal.kind = auth::Principal::Kind::kUser;
  principal.user = auth::kAdministrator;
  principal.name = "admin";
  return principal;
}

}  // namespace

struct Runner::State {
  explicit State(const Parts& own_parts) : parts(own_parts) {}

  Parts parts;
  Guarded<Run> run;
  std::condition_variable ended;
  std::jthread thread;

  void work(const std::stop_token& stop, const std::shared_ptr<Job>& job) {
    auto outcome = job->work.run(stop);
    if (outcome) {
      parts.logger.info("imported", {{"repositories", outcome->repositories},
                                     {"manifests", outcome->manifests},
                                     {"tags", outcome->tags},
                                     {"problems", outcome->problem_count}});
    } else {
      parts.logger.warning("the import did not come to its end",
                           {{"reason", outcome.error().message}});
    }
    run.with([&](Run& now) {
      now.outcome = std::move(outcome);
      now.job.reset();
    });
    ended.notify_all();
  }
};

Runner::Runner(const Parts& parts) : state_(std::make_unique<State>(parts)) {}

Runner::~Runner() = default;

Result<void> Runner::start(std::unique_ptr<SourceTree> source, const ImportOptions& options) {
  auto job = std::make_shared<Job>(state_->parts, TRY(administrator(state_->parts.database)),
                                   std::move(source), options);
  const bool entered = state_->run.with([&](Run& run) {
    if (run.job) {
      return false;
    }
    run.job = job;
    run.outcome.reset();
    return true;
  });
  if (!entered) {
    return Error{Code::kConflict, Subject::kRequest, "an import is running already", {}};
  }
  // The thread of the import before has ended its work, so this waits for nothing.
  state_->thread = std::jthread(
      [state = state_.get(), job](const std::stop_token& stop) { state->work(stop, job); });
  return {};
}

Runner::Status Runner::wait(std::chrono::milliseconds limit) const {
  const auto idle = [](const Run& run) { return run.job == nullptr; };
  return state_->run.wait_for(state_->ended, limit, idle, [](const Run& run) {
    Status status;
    status.running = run.job != nullptr;
    if (run.job) {
      status.progress = run.job->work.progress();
    }
    status.outcome = run.outcome;
    return status;
  });
}

}  // namespace roadstead::importer
