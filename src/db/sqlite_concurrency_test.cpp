#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "db/testing/scratch_database.h"

namespace roadstead::db {
namespace {

using testing::open_scratch_database;
using testing::ScratchDatabase;

constexpr int kWriters = 4;
constexpr int kReaders = 3;
constexpr int kTransfers = 60;

Result<std::int64_t> balance(ReadSession& session, std::string_view account) {
  const auto found = TRY(session.first("SELECT hard_limit FROM quota WHERE project_id = ?",
                                       {account == "left" ? 1 : 2},
                                       [](const Row& row) { return row.integer(0); }));
  return found.value_or(-1);
}

Result<void> transfer(WriteSession& session) {
  // Read, decide, write: lost updates would show in the final sum.
  const std::int64_t left = TRY(balance(session, "left"));
  const std::int64_t right = TRY(balance(session, "right"));
  constexpr std::string_view kSet = "UPDATE quota SET hard_limit = ? WHERE project_id = ?";
  TRY(session.execute(kSet, {left - 1, 1}));
  TRY(session.execute(kSet, {right + 1, 2}));
  return {};
}

ScratchDatabase database_with_accounts() {
  ScratchDatabase database = open_scratch_database();
  EXPECT_TRUE(database->write([](WriteSession& session) -> Result<void> {
    for (int project = 1; project <= 2; ++project) {
      TRY(session.execute(
          "INSERT INTO quota (project_id, hard_limit, used, creation_time, update_time) "
          "VALUES (?, 1000, 0, 0, 0)",
          {project}));
    }
    return {};
  }));
  return database;
}

TEST(SqliteConcurrency, ReadersSeeWholeTransactionsAndNoUpdateIsLost) {
  ScratchDatabase database = database_with_accounts();
  std::atomic<int> writing = kWriters;
  std::atomic<int> torn = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kTransfers; ++n) {
        failed += database->write(transfer) ? 0 : 1;
      }
      --writing;
    });
  }
  for (int i = 0; i < kReaders; ++i) {
    threads.emplace_back([&] {
      while (writing > 0) {
        const auto sum = database->read([](ReadSession& session) -> Result<std::int64_t> {
          const std::int64_t left = TRY(balance(session, "left"));
          std::this_thread::yield();
          return left + TRY(balance(session, "right"));
        });
        failed += sum ? 0 : 1;
        torn += sum && *sum != 2'000 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(failed, 0);
  const auto right = database->read([](ReadSession& session) { return balance(session, "right"); });
  EXPECT_EQ(right.value(), 1'000 + kWriters * kTransfers);
}

TEST(SqliteConcurrency, MoreReadersThanPooledConnections) {
  SqliteOptions options;
  options.readers_max = 1;
  ScratchDatabase database = open_scratch_database(options);
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 25; ++n) {
        // A session inside a session takes a connection of its own.
        failed += database->read([&](ReadSession&) { return database->ping(); }) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(database->statistics().read_sessions, 200U);
}

}  // namespace
}  // namespace roadstead::db
