#include "db/testing/turns.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace roadstead::db::testing {
namespace {

using Steady = std::chrono::steady_clock;

/// Nothing here takes so long on any machine.
constexpr std::chrono::seconds kStuck{60};
/// A step that neither ends nor waits for a lock is slow, or waits for something else.
constexpr std::chrono::milliseconds kSlow{500};
constexpr std::chrono::milliseconds kLook{2};
/// Of one schedule; each attempt of a transaction takes some thirty.
constexpr std::size_t kStepsMax = 3'000;
constexpr std::size_t kStoryColumns = 110;

[[noreturn]] void give_up(const std::string& story, std::string_view why) {
  std::fprintf(stderr, "%s%.*s\n", story.c_str(), static_cast<int>(why.size()), why.data());
  std::abort();
}

class Reading final : public ReadSession {
 public:
  Reading(ReadSession& session, SteppedDatabase& database)
      : session_(session), database_(database) {}

  using ReadSession::each;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override {
    if (!std::exchange(begun_, true)) {
      database_.step(sql);
    }
    return session_.each(sql, params, row);
  }
  Time now() override { return session_.now(); }

 private:
  ReadSession& session_;
  SteppedDatabase& database_;
  bool begun_ = false;
};

class Writing final : public WriteSession {
 public:
  Writing(WriteSession& session, SteppedDatabase& database)
      : session_(session), database_(database) {}

  using ReadSession::each;
  using WriteSession::execute;
  using WriteSession::execute_later;
  using WriteSession::insert;
  using WriteSession::lock;
  Result<bool> lock(std::string_view sql, Params params) override {
    const std::string_view rest = database_.step(sql);
    return rest == sql ? session_.lock(sql, params) : Result<bool>(true);
  }
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override {
    return session_.each(database_.step(sql), params, row);
  }
  Result<std::int64_t> execute(std::string_view sql, Params params) override {
    database_.step(sql);
    return session_.execute(sql, params);
  }
  Result<std::int64_t> insert(std::string_view sql, Params params) override {
    database_.step(sql);
    return session_.insert(sql, params);
  }
  Time now() override { return session_.now(); }
  [[nodiscard]] bool shared() const override { return session_.shared(); }
  void after_commit(std::function<void()> hint) override { session_.after_commit(std::move(hint)); }

 private:
  WriteSession& session_;
  SteppedDatabase& database_;
};

}  // namespace

void Turns::await(std::size_t actor, std::string_view step) {
  Lock lock(mutex_);
  Thread& thread = threads_.at(actor);
  thread.state = State::kPaused;
  thread.step = step;
  changed_.notify_all();
  changed_.wait(lock, [&] { return thread.state == State::kRunning; });
}

std::size_t Turns::running() const {
  return static_cast<std::size_t>(std::count_if(threads_.begin(), threads_.end(), [](auto& thread) {
    return thread.state == State::kRunning;
  }));
}

/// Until everybody waits for a turn or a lock, or has finished.
void Turns::settle(Lock& lock, std::size_t last) {
  const auto begun = Steady::now();
  const auto step_over = [&] {
    return last < threads_.size() ? threads_[last].state != State::kRunning : running() == 0;
  };
  changed_.wait_for(lock, kLook, step_over);
  bool seen = false;
  while (running() > 0 && Steady::now() - begun < kSlow) {
    lock.unlock();
    const std::size_t waiting = waiting_();
    lock.lock();
    // Who was woken may be counted for a moment more.
    if (waiting >= running() && std::exchange(seen, true)) {
      return;
    }
    changed_.wait_for(lock, kLook, [&] { return running() == 0; });
  }
}

std::vector<std::size_t> Turns::able(std::size_t last) const {
  std::vector<std::size_t> able;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].state == State::kPaused) {
      able.insert(i == last ? able.begin() : able.end(), i);
    }
  }
  return able;
}

void Turns::take_steps(const std::vector<Actor>& actors, const std::vector<std::size_t>& choices) {
  Lock lock(mutex_);
  for (std::size_t last = SIZE_MAX;;) {
    settle(lock, last);
    if (last < threads_.size() && threads_[last].state == State::kRunning) {
      ++play_.waits;
      play_.story += "    waits\n";
    }
    std::vector<std::size_t> ready = able(last);
    if (ready.empty()) {
      if (running() == 0) {
        return;
      }
      // Those who wait do so for each other: the server ends one of them.
      const auto over = [&] { return !able(last).empty() || running() == 0; };
      if (!changed_.wait_for(lock, kStuck, over)) {
        give_up(play_.story, "stuck: nobody can take a step");
      }
      last = SIZE_MAX;
      continue;
    }
    std::size_t chosen = 0;
    if (ready.size() > 1) {
      const std::size_t at = play_.decisions.size();
      chosen = at < choices.size() ? std::min(choices[at], ready.size() - 1) : 0;
      play_.decisions.push_back({ready.size(), chosen, ready.front() == last});
    }
    last = ready[chosen];
    play_.story +=
        fmt::format("  {}: {}\n", actors[last].name, threads_[last].step.substr(0, kStoryColumns));
    if (++play_.steps > kStepsMax) {
      give_up(play_.story, "stuck: too many steps");
    }
    threads_[last].state = State::kRunning;
    changed_.notify_all();
  }
}

Turns::Play Turns::play(const std::vector<Actor>& actors, const std::vector<std::size_t>& choices) {
  threads_.assign(actors.size(), {});
  play_ = {};
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < actors.size(); ++i) {
    threads.emplace_back([&, i] {
      actors[i].act();
      const std::lock_guard lock(mutex_);
      threads_[i].state = State::kFinished;
      changed_.notify_all();
    });
  }
  take_steps(actors, choices);
  threads.clear();
  return std::move(play_);
}

std::string_view SteppedDatabase::step(std::string_view sql) {
  if (!habits_.unnoticed(sql)) {
    turns_.await(actor_, sql);
  }
  if (habits_.unlocked.empty() || !sql.starts_with(habits_.unlocked)) {
    return sql;
  }
  return sql.substr(0, sql.rfind(" FOR "));
}

Result<void> SteppedDatabase::run_read(const std::function<Result<void>(ReadSession&)>& fn,
                                       Snapshot snapshot) {
  const auto read = [&](ReadSession& session) -> Result<void> {
    Reading reading(session, *this);
    return fn(reading);
  };
  return snapshot == Snapshot::kStatement ? database_.read_once(read) : database_.read(read);
}

Result<void> SteppedDatabase::run_write(const std::function<Result<void>(WriteSession&)>& fn,
                                        Durability durability) {
  const auto write = [&](WriteSession& session) -> Result<void> {
    Writing writing(session, *this);
    TRY(fn(writing));
    step("COMMIT");
    return {};
  };
  return database_.write(write, durability);
}

Searched search(const Search& how, const Run& run) {
  using Choices = std::vector<std::size_t>;
  const auto end = Steady::now() + how.time;
  std::minstd_rand random(how.seed);
  Searched searched;
  searched.schedules.resize(how.interruptions_max + 1);
  std::vector<std::vector<Choices>> open(how.interruptions_max + 2);
  open.front().emplace_back();
  for (std::size_t bound = 0; bound <= how.interruptions_max; ++bound) {
    while (!open[bound].empty() && Steady::now() < end) {
      std::swap(open[bound][random() % open[bound].size()], open[bound].back());
      Choices choices = std::move(open[bound].back());
      open[bound].pop_back();
      const auto play = run(choices);
      if (!play) {
        return searched;
      }
      ++searched.schedules[bound];
      searched.steps += play->steps;
      searched.waits += play->waits;
      for (std::size_t at = choices.size(); at < play->decisions.size(); ++at) {
        choices.resize(at, 0);
        const Turns::Decision& decision = play->decisions[at];
        for (std::size_t other = 1; other < decision.able; ++other) {
          choices.push_back(other);
          open[bound + (decision.interrupts ? 1 : 0)].push_back(choices);
          choices.pop_back();
        }
      }
    }
  }
  for (std::size_t bound = 0; bound <= how.interruptions_max; ++bound) {
    searched.left.push_back(open[bound].size());
  }
  return searched;
}

}  // namespace roadstead::db::testing
