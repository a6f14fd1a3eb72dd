#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gc/collector.h"
#include "gc/run.h"
#include "registry/collect.h"

namespace roadstead::gc::internal {

/// Tells whether civil time went on as it should. After a jump forward everything looks old:
/// nothing may be removed for one grace period then.
class ClockGuard {
 public:
  explicit ClockGuard(std::chrono::seconds grace) : grace_(grace) {}
  /// `now` is the database's. False: hold back.
  bool may_purge(Time now, std::chrono::steady_clock::time_point steady);

 private:
  const std::chrono::seconds grace_;
  Time last_{};
  std::chrono::steady_clock::time_point last_steady_{};
  std::chrono::steady_clock::time_point hold_until_{};
};

/// One run from its first step to its last.
class Runner {
 public:
  /// Why a run ends before its work does.
  enum class Interrupt : std::uint8_t { kNone, kStopped, kShutdown, kGivesWay };
  struct Control {
    std::function<Interrupt()> interrupt;
    /// Waits, at most so long; ends early when an interrupt comes.
    std::function<void(std::chrono::microseconds)> rest;
  };

  Runner(const Collector::Parts& parts, const Collector::Settings& settings, ClockGuard& guard,
         Control control, Run run);

  /// The run as it ended; its row, when it has one, says the same.
  Run execute();

 private:
  Result<void> take_steps();
  Result<void> rehearse();
  /// Until nothing changes any more.
  Result<void> review_all();
  /// What is due now. People keep working, so what becomes due meanwhile is left for the next.
  /// Whether anything changed.
  Result<bool> review_what_is_due();
  Result<void> condemn_all();
  Result<void> empty_store_queue();
  /// One step is done: its lines are written, others get their turn. False: the run is to end.
  Result<bool> step_done(std::chrono::microseconds worked);
  void make_way(std::chrono::microseconds worked);
  void count(const registry::Removed& removed);
  void say(std::string line);
  void begin_log();
  void end(const Result<void>& outcome);
  Result<void> save();

  const Collector::Parts& parts_;
  const Collector::Settings& settings_;
  ClockGuard& guard_;
  Control control_;
  Run run_;
  Interrupt interrupted_ = Interrupt::kNone;
  bool stop_wanted_ = false;  ///< By the row.
  std::vector<std::string> lines_;
  std::size_t lines_said_ = 0;
  bool late_ = false;
  std::uint64_t answered_ = 0;
  std::chrono::steady_clock::time_point looked_at_;
  std::chrono::steady_clock::time_point saved_at_{};
};

}  // namespace roadstead::gc::internal
