#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "db/testing/fault_vfs.h"
#include "db/testing/scratch_database.h"

namespace roadstead::db {
namespace {

using testing::FaultVfs;
using testing::open_scratch_database;
using testing::ScratchDatabase;

Result<void> put(Database& database, std::string_view name, std::string_view value,
                 Durability durability = Durability::kPowerLoss) {
  return database.write(
      [&](WriteSession& session) -> Result<void> {
        TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)",
                            {name, value, session.now()}));
        return {};
      },
      durability);
}

std::string get(Database& database, std::string_view name) {
  const auto value = database.read([&](ReadSession& session) {
    return session.first("SELECT value FROM property WHERE name = ?", {name},
                         [](const Row& row) { return std::string(row.text(0)); });
  });
  return value && *value ? **value : "(none)";
}

/// Changes about as many pages as `value` has.
std::string of_pages(std::size_t pages) {
  return std::string(pages * 4096, 'x');
}

TEST(SqliteLog, ATransactionIsWrittenInOnePiece) {
  FaultVfs faults;
  ScratchDatabase database = open_scratch_database({.path = {}, .vfs = faults.name()});
  ASSERT_TRUE(put(database, "first", ""));
  faults.fail_after(1, 1, SQLITE_FULL, FaultVfs::Call::kWrite);
  EXPECT_TRUE(put(database, "a", of_pages(10))) << "a second write would have failed";
  EXPECT_EQ(faults.stop_failing(), 0U);
}

TEST(SqliteLog, AFailedWriteFailsTheCommit) {
  FaultVfs faults;
  ScratchDatabase database = open_scratch_database({.path = {}, .vfs = faults.name()});
  ASSERT_TRUE(put(database, "first", ""));
  for (const auto durability : {Durability::kPowerLoss, Durability::kProcessDeath}) {
    faults.fail_after(0, 1, SQLITE_FULL, FaultVfs::Call::kWrite);
    EXPECT_FALSE(put(database, "a", of_pages(3), durability));
    EXPECT_EQ(faults.stop_failing(), 1U);
    EXPECT_EQ(get(database, "a"), "(none)");
  }
  EXPECT_TRUE(put(database, "a", "1"));
  database.reopen();
  EXPECT_EQ(get(database, "a"), "1");
}

TEST(SqliteLog, ReadersSeeACommitThatWasNotSynced) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", of_pages(3), Durability::kProcessDeath));
  EXPECT_EQ(get(database, "a"), of_pages(3));
}

TEST(SqliteLog, TransactionsOfAnySizeAreWhole) {
  ScratchDatabase database = open_scratch_database();
  // Around the sizes of one write (64 KiB), of SQLite's own limit (128 KiB), of what may wait (1
  // MiB) and of the writer's cache (8 MiB), which spills before the commit.
  for (const std::size_t pages : {14, 15, 16, 17, 30, 31, 32, 33, 63, 64, 255, 256, 257, 2500}) {
    const std::string name = std::to_string(pages);
    ASSERT_TRUE(put(database, name, of_pages(pages)));
    EXPECT_EQ(get(database, name), of_pages(pages)) << name;
  }
  database.reopen();
  EXPECT_EQ(get(database, "257"), of_pages(257));
  EXPECT_EQ(get(database, "2500"), of_pages(2500));
}

TEST(SqliteLog, WhatIsRolledBackLeavesNoTrace) {
  ScratchDatabase database = open_scratch_database();
  const auto failed = database->write([](WriteSession& session) -> Result<void> {
    for (int i = 0; i < 3; ++i) {
      TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)",
                          {std::to_string(i), of_pages(1000), session.now()}));
    }
    return Error{Code::kConflict, Subject::kNone, "no", {}};
  });
  EXPECT_FALSE(failed);
  ASSERT_TRUE(put(database, "a", of_pages(2)));
  EXPECT_EQ(get(database, "0"), "(none)");
  database.reopen();
  EXPECT_EQ(get(database, "0"), "(none)");
  EXPECT_EQ(get(database, "a"), of_pages(2));
}

}  // namespace
}  // namespace roadstead::db
