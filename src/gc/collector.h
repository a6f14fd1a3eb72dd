#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "db/database.h"
#include "gc/run.h"
#include "registry/options.h"
#include "replica/member.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::gc {

/// The garbage collector of one process: a thread that takes the steps of registry/collect.h, by
/// itself every interval and when a run is asked for, be it of another replica. Of several replicas
/// one at a time collects by itself. It never keeps a push or a pull waiting for
/// more than one small transaction, and works for a tenth of the time while others work. Everything
/// it has to do is in tables, so a run that ends anywhere is gone on with by the next one.
/// Thread-safe.
class Collector {
 public:
  /// Outlive it.
  struct Parts {
    db::Database& database;
    storage::BlobStore& store;
    storage::DigestLocks& locks;
    const registry::Options& options;
    replica::Member& member;
    log::Logger logger;
  };
  struct Settings {
    /// Between runs that it makes by itself; 0: none.
    std::chrono::seconds interval{60};
    /// Whether those remove untagged artifacts.
    bool delete_untagged = false;
    /// Requests that the process has answered so far: while the number grows, the collector makes
    /// way. Empty: it never does.
    std::function<std::uint64_t()> answered;
    /// False: this process runs nothing, and what it is asked for is left to other replicas.
    bool works = true;
  };
  /// What all runs of this process removed, dry ones aside.
  struct Totals {
    Counters counters;
    std::uint64_t runs = 0;
    std::uint64_t failed_runs = 0;
    bool running = false;
  };

  Collector(Parts parts, Settings settings);
  /// Ends a run at its next step.
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  /// Begins a run as soon as the thread is free: a run by the interval gives way. Errors: kConflict
  /// + kRequest while another run that was asked for is not over; kInvalid + kRequest.
  Result<RunId> trigger(const Parameters& parameters, std::string_view operator_name);
  /// Asks a run to end at its next step; one that is over stays as it is. Errors: kNotFound +
  /// kRequest.
  Result<void> stop(RunId id);
  /// Waits until the run is over, at most `limit`. Errors: kNotFound + kRequest.
  Result<Run> wait(RunId id, std::chrono::milliseconds limit);
  [[nodiscard]] Totals totals() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::gc
