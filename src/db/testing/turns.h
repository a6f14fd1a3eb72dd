#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/database.h"

namespace roadstead::db::testing {

/// Lets a few threads run one at a time, a step each, in an order that can be said beforehand.
/// Whoever is in the middle of a step because its statement waits for a lock does not count: the
/// others go on, and it takes its turns again once it has the lock. Thread-safe.
class Turns {
 public:
  /// `waiting` says how many sessions of the database wait for a lock at the moment.
  explicit Turns(std::function<std::size_t()> waiting) : waiting_(std::move(waiting)) {}

  /// A moment at which more than one thread could take a step.
  struct Decision {
    std::size_t able = 0;    ///< How many; the one that took the last step, if it can, is number 0.
    std::size_t chosen = 0;  ///< Which.
    bool interrupts = false;  ///< To choose another one than number 0 takes the turn from it.
  };
  struct Play {
    std::vector<Decision> decisions;
    std::string story;  ///< What was done in which order, a line a step, for people.
    std::size_t steps = 0;
    std::size_t waits = 0;  ///< Steps that had to wait for a lock.
  };
  struct Actor {
    std::string name;
    std::function<void()> act;
  };
  /// Runs them to their end. Decisions are taken as `choices` says, and as number 0 when it says
  /// nothing more. Aborts with the story when it does not come to an end.
  Play play(const std::vector<Actor>& actors, const std::vector<std::size_t>& choices);

  /// In the thread of an actor, before a step: returns when it may be taken.
  void await(std::size_t actor, std::string_view step);

 private:
  enum class State : std::uint8_t { kRunning, kPaused, kFinished };
  struct Thread {
    State state = State::kRunning;
    std::string step;
  };
  using Lock = std::unique_lock<std::mutex>;

  void settle(Lock& lock, std::size_t last);
  [[nodiscard]] std::vector<std::size_t> able(std::size_t last) const;
  [[nodiscard]] std::size_t running() const;
  void take_steps(const std::vector<Actor>& actors, const std::vector<std::size_t>& choices);

  std::function<std::size_t()> waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Thread> threads_;
  Play play_;
};

/// A database whose transactions wait for their turn before each statement and before COMMIT, again
/// in each attempt. A function that only reads sees one state of the database whatever happens
/// meanwhile, so it is one step. Used by the thread of one actor.
class SteppedDatabase final : public Database {
 public:
  struct Habits {
    /// Statements that are no step of their own, but happen with the step before.
    bool (*unnoticed)(std::string_view sql) = [](std::string_view) { return false; };
    /// Statements that begin so lock nothing: to see that a test notices it.
    std::string unlocked = {};
  };
  /// All that is handed over outlives it.
  SteppedDatabase(Database& database, Turns& turns, std::size_t actor, Habits habits)
      : database_(database), turns_(turns), actor_(actor), habits_(std::move(habits)) {}

  /// What every statement asks first; what is to be run of it.
  std::string_view step(std::string_view sql);

  [[nodiscard]] bool reads_are_local() const override { return database_.reads_are_local(); }
  Result<void> ping() override { return database_.ping(); }
  [[nodiscard]] Statistics statistics() const override { return database_.statistics(); }
  Result<void> copy_to(const std::filesystem::path& path) override {
    return database_.copy_to(path);
  }

 protected:
  Result<void> run_read(const std::function<Result<void>(ReadSession&)>& fn,
                        Snapshot snapshot) override;
  Result<void> run_write(const std::function<Result<void>(WriteSession&)>& fn,
                         Durability durability) override;

 private:
  Database& database_;
  Turns& turns_;
  std::size_t actor_;
  Habits habits_;
};

/// All schedules that take the turn from an able thread at most `interruptions_max` times, those
/// with fewer first; within each number in an order that `seed` decides. Two interruptions find
/// almost all defects that any number finds.
struct Search {
  std::size_t interruptions_max = 2;
  std::chrono::milliseconds time{4000};
  unsigned seed = 1;
};
struct Searched {
  std::vector<std::size_t> schedules;  ///< Run, by the number of their interruptions.
  std::vector<std::size_t> left;       ///< Known and not run for want of time.
  std::size_t steps = 0;
  std::size_t waits = 0;
};
/// `run` plays one schedule; nothing ends the search.
using Run = std::function<std::optional<Turns::Play>(const std::vector<std::size_t>& choices)>;
Searched search(const Search& how, const Run& run);

}  // namespace roadstead::db::testing
