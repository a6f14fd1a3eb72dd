#include "db/internal/sqlite_checkpointer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sqlite3.h>

namespace roadstead::db::internal {
namespace {

constexpr std::uint64_t kPageBytes = 4096 + 24;  // With the frame header.
constexpr std::uint64_t kUrgentPages = 1000;
constexpr std::chrono::seconds kInterval{1};
constexpr std::chrono::seconds kGiveWayMax{1};

}  // namespace

SqliteCheckpointer::SqliteCheckpointer(std::unique_ptr<SqliteConnection> connection,
                                       std::uint64_t wal_size_max, log::Logger logger)
    : connection_(std::move(connection)),
      wal_size_max_(wal_size_max),
      logger_(logger),
      thread_([this] { loop(); }) {}

SqliteCheckpointer::~SqliteCheckpointer() {
  state_.with([](State& state) { state.stopping = true; });
  wake_.notify_all();
  thread_.join();
}

void SqliteCheckpointer::committed(std::uint64_t wal_pages) {
  const bool wake = state_.with([&](State& state) {
    const bool was_idle = !std::exchange(state.changed, true);
    state.pages = wal_pages;
    return was_idle || is_urgent(state);
  });
  if (wake) {
    wake_.notify_one();
  }
}

void SqliteCheckpointer::give_way() {
  state_.wait_for(
      cut_ended_, kGiveWayMax, [](const State& state) { return !state.cutting; },
      [](const State&) {});
}

std::uint64_t SqliteCheckpointer::wal_bytes() const {
  return state_.with([](const State& state) { return state.pages * kPageBytes; });
}

std::uint64_t SqliteCheckpointer::cuts() const {
  return state_.with([](const State& state) { return state.cuts; });
}

bool SqliteCheckpointer::is_urgent(const State& state) const {
  const std::uint64_t limit = std::min(kUrgentPages, wal_size_max_ / kPageBytes / 4);
  // Fewer pages than before mean that the log has begun anew.
  const std::uint64_t seen = state.pages < state.pages_checked ? 0 : state.pages_checked;
  return state.pages - seen > limit;
}

void SqliteCheckpointer::loop() {
  for (;;) {
    state_.wait(
        wake_, [](const State& state) { return state.stopping || state.changed; },
        [](const State&) {});
    const bool stopping = state_.wait_for(
        wake_, kInterval, [this](const State& state) { return state.stopping || is_urgent(state); },
        [](State& state) {
          state.changed = false;
          return state.stopping;
        });
    if (stopping) {
      return;  // Closing the last connection moves what is left.
    }
    checkpoint();
  }
}

void SqliteCheckpointer::checkpoint() {
  std::uint64_t pages = 0;
  bool complete = run(SQLITE_CHECKPOINT_PASSIVE, pages);
  // Usually the next commit finds every page moved and begins the log anew. When readers and
  // commits leave no gap it never does, and only a checkpoint that holds the writer for a moment
  // stops the growth.
  if (pages * kPageBytes > wal_size_max_) {
    complete = cut(pages);
    if (!complete && !std::exchange(warned_, true)) {
      logger_.warning("the write-ahead log exceeds its limit: long readers or writers hold it",
                      {{"bytes", static_cast<std::int64_t>(pages * kPageBytes)}});
    }
  }
  warned_ = warned_ && !complete;
  state_.with([&](State& state) {
    state.pages_checked = pages;
    if (!state.changed) {
      state.pages = pages;
      state.changed = !complete;  // A reader held some of it: try again.
    }
  });
}

bool SqliteCheckpointer::cut(std::uint64_t& wal_pages) {
  state_.with([](State& state) { state.cutting = true; });
  const bool complete = run(SQLITE_CHECKPOINT_TRUNCATE, wal_pages);
  state_.with([&](State& state) {
    state.cutting = false;
    if (complete) {
      ++state.cuts;
      state.pages = 0;
    }
  });
  cut_ended_.notify_all();
  return complete;
}

bool SqliteCheckpointer::run(int mode, std::uint64_t& wal_pages) {
  int in_log = 0;
  int moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection_->handle(), nullptr, mode, &in_log, &moved);
  if (in_log >= 0) {
    wal_pages = static_cast<std::uint64_t>(in_log);
  }
  if (code == SQLITE_OK) {
    return in_log == moved;
  }
  if ((code & 0xff) != SQLITE_BUSY) {
    logger_.error("checkpoint failed", {{"error", describe(connection_->error(code))}});
  }
  return false;
}

}  // namespace roadstead::db::internal
