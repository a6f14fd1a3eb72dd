#include <sys/stat.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/text.h"
#include "db/testing/scratch_database.h"
#include "sys/file.h"

namespace roadstead::db {
namespace {

using testing::open_scratch_database;
using testing::ScratchDatabase;

constexpr std::string_view kPair =
    "INSERT INTO property (name, value, update_time) VALUES (?, ?, 0)";

/// Two rows that only ever come together.
Result<void> insert_pair(WriteSession& session, int n) {
  TRY(session.execute(kPair, {"a" + std::to_string(n), std::string(2000, 'x')}));
  TRY(session.execute(kPair, {"b" + std::to_string(n), "y"}));
  return {};
}

std::int64_t count(ReadSession& session, std::string_view prefix) {
  return session
      .first("SELECT COUNT(*) FROM property WHERE substr(name, 1, 1) = ?", {prefix},
             [](const Row& row) { return row.integer(0); })
      .value()
      .value_or(-1);
}

class SqliteCopyTest : public ::testing::Test {
 protected:
  ScratchDatabase database = open_scratch_database();
  std::filesystem::path copy = database.directory() / "copy %41?#.db";
  SystemClock clock;
};

TEST_F(SqliteCopyTest, IsOneStateOfADatabaseThatGoesOn) {
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::thread writer([&] {
    for (int n = 0; !stop; ++n) {
      ASSERT_TRUE(database->write([n](WriteSession& session) { return insert_pair(session, n); }));
      written = n + 1;
    }
  });
  while (written < 50) {
    std::this_thread::yield();
  }
  const int before = written;
  const auto copied = database->copy_to(copy);
  const int after = written;
  stop = true;
  writer.join();
  ASSERT_TRUE(copied) << describe(copied.error());
  ASSERT_TRUE(check_sqlite_file(copy));
  ASSERT_TRUE(read_sqlite_file(copy, clock, [&](ReadSession& session) -> Result<void> {
    const std::int64_t pairs = count(session, "a");
    EXPECT_EQ(pairs, count(session, "b"));
    EXPECT_GE(pairs, before);  // What was acknowledged before is in it.
    EXPECT_LE(pairs, after + 1);
    return {};
  }));
}

TEST_F(SqliteCopyTest, IsPrivateAndReadingItLeavesNothingBehind) {
  ASSERT_TRUE(database->copy_to(copy));
  struct stat status{};
  ASSERT_EQ(::stat(copy.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const std::string bytes = sys::read_file(copy, std::size_t{64} << 20U).value();
  ASSERT_TRUE(read_sqlite_file(copy, clock, [&](ReadSession& session) -> Result<void> {
    EXPECT_EQ(count(session, "a"), 0);
    return {};
  }));
  EXPECT_EQ(sys::read_file(copy, std::size_t{64} << 20U).value(), bytes);
  const auto names = sys::list_directory(database.directory()).value();
  EXPECT_EQ(std::count_if(names.begin(), names.end(),
                          [](const std::string& name) { return name.starts_with("copy"); }),
            1);
}

TEST_F(SqliteCopyTest, NeverReplacesAFile) {
  ASSERT_TRUE(sys::replace_file(copy, "precious"));
  const auto refused = database->copy_to(copy);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_EQ(sys::read_file(copy, 100).value(), "precious");
}

TEST_F(SqliteCopyTest, DamageIsFound) {
  for (int n = 0; n < 100; ++n) {
    ASSERT_TRUE(database->write([n](WriteSession& session) { return insert_pair(session, n); }));
  }
  ASSERT_TRUE(database->copy_to(copy));
  auto file = sys::File::open(copy, sys::File::Mode::kReadWrite).value();
  const std::uint64_t size = file.size().value();
  ASSERT_TRUE(file.write_at(size / 2, bytes_of(std::string(size / 3, '\xff'))));
  EXPECT_FALSE(check_sqlite_file(copy));
  ASSERT_TRUE(file.truncate(100));
  EXPECT_FALSE(check_sqlite_file(copy));
}

}  // namespace
}  // namespace roadstead::db
