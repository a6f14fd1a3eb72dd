#include "replica/member.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>

#include "base/guarded.h"
#include "base/text.h"
#include "replica/internal/replica_rows.h"
#include "sys/process.h"

namespace roadstead::replica {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kBeatEvery{5};
/// A turn is believed to be ours for so long after the heartbeat that kept it: well before others
/// may take it.
constexpr std::chrono::seconds kBelieved{20};
/// Until a turn that somebody else has is asked for again.
constexpr std::chrono::seconds kAskEvery{5};

std::string new_id() {
  std::array<std::byte, 8> random{};
  sys::random_bytes(random);
  return to_hex(random);
}

}  // namespace

struct Member::State {
  State(db::Database& its_database, const Description& description, log::Logger its_logger)
      : database(its_database), logger(std::move(its_logger)) {
    self.id = new_id();
    self.host = description.host;
    self.roles = description.roles;
    self.version = description.version;
  }

  struct Turn {
    bool held = false;
    steady_clock::time_point asked_at{};
  };
  struct Shared {
    bool quit = false;
    steady_clock::time_point beaten_at{};
    std::map<std::string, Turn, std::less<>> turns;
  };

  Result<void> beat();
  void work();

  db::Database& database;
  log::Logger logger;
  Replica self;
  Guarded<Shared> shared;
  std::condition_variable changed;
  std::jthread thread;
};

Result<void> Member::State::beat() {
  const auto before = steady_clock::now();
  TRY(database.write([&](db::WriteSession& session) { return internal::beat(session, self); },
                     db::Durability::kProcessDeath));
  shared.with([&](Shared& state) {
    // A turn that was not kept for too long may be another's by now: it is asked for again.
    if (before - state.beaten_at > kBelieved) {
      state.turns.clear();
    }
    state.beaten_at = before;
  });
  return {};
}

void Member::State::work() {
  bool silent = false;
  for (;;) {
    const bool quit = shared.with([](const Shared& state) { return state.quit; }) ||
                      shared.wait_for(
                          changed, kBeatEvery, [](const Shared& state) { return state.quit; },
                          [](const Shared& state) { return state.quit; });
    if (quit) {
      return;
    }
    const auto beaten = beat();
    if (!beaten && !silent) {
      logger.warning("the heartbeat of this replica does not reach the database",
                     {{"reason", beaten.error().message}});
    }
    silent = !beaten;
  }
}

Result<std::unique_ptr<Member>> Member::join(db::Database& database, const Description& description,
                                             log::Logger logger) {
  auto state = std::make_unique<State>(database, description, std::move(logger));
  TRY(state->beat());
  state->thread = std::jthread([its_state = state.get()] { its_state->work(); });
  return std::unique_ptr<Member>(new Member(std::move(state)));
}

Member::Member(std::unique_ptr<State> state) : state_(std::move(state)) {}

Member::~Member() {
  state_->shared.with([](State::Shared& state) { state.quit = true; });
  state_->changed.notify_all();
  state_->thread.join();
  const auto left = state_->database.write(
      [&](db::WriteSession& session) { return internal::leave(session, state_->self.id); },
      db::Durability::kProcessDeath);
  if (!left) {
    state_->logger.warning("others have to wait for the turns of this replica",
                           {{"reason", left.error().message}});
  }
}

const std::string& Member::id() const {
  return state_->self.id;
}

bool Member::has_turn(std::string_view name) {
  if (state_->database.reads_are_local()) {
    return true;  // One process owns it; one that was killed must not keep the next one waiting.
  }
  const auto now = steady_clock::now();
  enum class Known : std::uint8_t { kOurs, kTheirs, kAsk };
  const Known known = state_->shared.with([&](State::Shared& state) {
    State::Turn& turn = state.turns[std::string(name)];
    if (turn.held && now - state.beaten_at < kBelieved) {
      return Known::kOurs;
    }
    if (turn.asked_at != steady_clock::time_point{} && now - turn.asked_at < kAskEvery) {
      return Known::kTheirs;
    }
    turn.asked_at = now;
    return Known::kAsk;
  });
  if (known != Known::kAsk) {
    return known == Known::kOurs;
  }
  const auto taken = state_->database.write(
      [&](db::WriteSession& session) {
        return internal::take_turn(session, name, state_->self.id);
      },
      db::Durability::kProcessDeath);
  const bool held = taken && *taken;
  state_->shared.with([&](State::Shared& state) { state.turns[std::string(name)].held = held; });
  return held;
}

}  // namespace roadstead::replica
