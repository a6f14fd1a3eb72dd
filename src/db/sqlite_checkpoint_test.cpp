#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "db/testing/scratch_database.h"

namespace roadstead::db {
namespace {

using testing::open_scratch_database;
using testing::ScratchDatabase;
using namespace std::chrono_literals;

constexpr std::uint64_t kLimit = 256U << 10U;

Result<void> put_large(Database& database, std::string_view name) {
  return database.write([&](WriteSession& session) -> Result<void> {
    TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, ?, 0)",
                        {name, std::string(1U << 20U, 'x')}));
    return {};
  });
}

/// Waits for a background thread; the deadline only bounds a failing test.
template <typename F>
bool eventually(F&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

TEST(SqliteCheckpoint, LogIsCutOnceNoReaderHoldsIt) {
  SqliteOptions options;
  options.wal_size_max = kLimit;
  ScratchDatabase database = open_scratch_database(options);
  ASSERT_TRUE(database->read([&](ReadSession& session) -> Result<void> {
    TRY(session.each("SELECT count(*) FROM property", {}, [](const Row&) { return true; }));
    for (const char* name : {"a", "b"}) {
      TRY(put_large(database, name));
    }
    EXPECT_GT(database->statistics().wal_bytes, 2U << 20U);
    return {};
  }));
  // No commit follows: the end of the reader alone must do.
  EXPECT_TRUE(eventually([&] { return database->statistics().wal_bytes == 0; }));
  EXPECT_GE(database->statistics().wal_cuts, 1U);
  EXPECT_EQ(std::filesystem::file_size(database.path().string() + "-wal"), 0U);
  EXPECT_GT(std::filesystem::file_size(database.path()), 2U << 20U);
}

TEST(SqliteCheckpoint, LogStaysSmallUnderSteadyWrites) {
  SqliteOptions options;
  options.wal_size_max = kLimit;
  ScratchDatabase database = open_scratch_database(options);
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(put_large(database, std::to_string(i)));
    EXPECT_TRUE(eventually([&] { return database->statistics().wal_bytes <= kLimit; }));
  }
}

TEST(SqliteCheckpoint, LogIsCutAlthoughWritersNeverPause) {
  SqliteOptions options;
  options.wal_size_max = kLimit;
  ScratchDatabase database = open_scratch_database(options);
  std::atomic<bool> stop = false;
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      for (int n = 0; !stop; ++n) {
        failed += put_large(database, std::to_string(writer + 10 * (n + 1))) ? 0 : 1;
        static_cast<void>(database->write(
            [](WriteSession& session) { return session.execute("DELETE FROM property", {}); }));
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return database->statistics().wal_cuts >= 3; }));
  stop = true;
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace roadstead::db
