#include <sys/stat.h>

#include <array>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "db/sqlite.h"
#include "db/testing/scratch_database.h"

namespace roadstead::db {
namespace {

using testing::open_scratch_database;
using testing::ScratchDatabase;
using namespace std::chrono_literals;

constexpr std::string_view kInsertProperty =
    "INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)";

Result<void> put(WriteSession& session, std::string_view name, std::string_view value) {
  TRY(session.execute(kInsertProperty, {name, value, session.now()}));
  return {};
}

Result<void> put(Database& database, std::string_view name, std::string_view value) {
  return database.write([&](WriteSession& session) { return put(session, name, value); });
}

Result<std::optional<std::string>> get(ReadSession& session, std::string_view name) {
  return session.first("SELECT value FROM property WHERE name = ?", {name},
                       [](const Row& row) { return std::string(row.text(0)); });
}

std::optional<std::string> get(Database& database, std::string_view name) {
  return database.read([&](ReadSession& session) { return get(session, name); }).value();
}

/// A scratch database with a table `v (id, n, t, b)` whose columns take null.
ScratchDatabase database_with_values() {
  ScratchDatabase database = open_scratch_database();
  EXPECT_TRUE(database->write([](WriteSession& session) {
    return session.execute(
        "CREATE TABLE v (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER, t TEXT, b BLOB) STRICT",
        {});
  }));
  return database;
}

Result<std::int64_t> insert_value(Database& database, const Param& number, const Param& text,
                                  const Param& bytes) {
  return database.write([&](WriteSession& session) {
    return session.insert("INSERT INTO v (n, t, b) VALUES (?, ?, ?)", {number, text, bytes});
  });
}

struct Value {
  bool null_number, null_text, null_bytes;
  std::int64_t number;
  std::string text, bytes;
  bool operator==(const Value&) const = default;
};

Value value_at(Database& database, std::int64_t id) {
  return database
      .read([&](ReadSession& session) {
        return session.first("SELECT n, t, b FROM v WHERE id = ?", {id}, [](const Row& row) {
          return Value{row.is_null(0), row.is_null(1),           row.is_null(2),
                       row.integer(0), std::string(row.text(1)), std::string(row.text(2))};
        });
      })
      .value()
      .value();
}

TEST(SqliteValues, RoundTrip) {
  ScratchDatabase database = database_with_values();
  const std::string with_zero("a\0b", 3);
  const std::array<std::byte, 4> bytes = {std::byte{0}, std::byte{255}, std::byte{7}, std::byte{0}};
  const auto id = insert_value(database, std::numeric_limits<std::int64_t>::min(), with_zero,
                               std::span<const std::byte>(bytes));
  ASSERT_TRUE(id);
  EXPECT_EQ(value_at(database, *id),
            (Value{false, false, false, std::numeric_limits<std::int64_t>::min(), with_zero,
                   std::string("\0\xff\x07\0", 4)}));
}

TEST(SqliteValues, NullsReadAsZeroAndEmpty) {
  ScratchDatabase database = database_with_values();
  const auto id = insert_value(database, std::optional<int>(), nullptr, nullptr);
  EXPECT_EQ(value_at(database, id.value()), (Value{true, true, true, 0, "", ""}));
}

TEST(SqliteValues, EmptyIsNotNull) {
  ScratchDatabase database = database_with_values();
  const auto id = insert_value(database, 0, std::string_view(), std::span<const std::byte>());
  EXPECT_EQ(value_at(database, id.value()), (Value{false, false, false, 0, "", ""}));
}

TEST(SqliteValues, TimesIdsBooleansAndOptionals) {
  ScratchDatabase database = database_with_values();
  const Time time = from_micros(1'700'000'000'123'456);
  const auto stored = [&](const Param& param) {
    return value_at(database, insert_value(database, param, nullptr, nullptr).value()).number;
  };
  EXPECT_EQ(stored(time), to_micros(time));
  EXPECT_EQ(stored(ProjectId{42}), 42);
  EXPECT_EQ(stored(true), 1);
  EXPECT_EQ(stored(std::optional<ProjectId>(ProjectId{7})), 7);
  const auto row = database->read([&](ReadSession& session) {
    return session.first("SELECT ?, ?, ?", {time, ProjectId{42}, true}, [](const Row& r) {
      return std::tuple(r.time(0), r.id<ProjectId>(1), r.boolean(2));
    });
  });
  EXPECT_EQ(row.value(), std::tuple(time, ProjectId{42}, true));
}

TEST(SqliteValues, LargeBlob) {
  ScratchDatabase database = database_with_values();
  const std::string large(4U << 20U, 'x');
  const auto id = insert_value(database, 1, nullptr, bytes_of(large));
  EXPECT_EQ(value_at(database, id.value()).bytes, large);
}

TEST(SqliteErrors, UniqueViolationIsConflictAndNamesTheColumn) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "first"));
  const auto again = put(database, "a", "s3cret");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_EQ(again.error().subject, Subject::kDatabase);
  EXPECT_NE(again.error().detail.find("property.name"), std::string::npos);
  EXPECT_EQ(describe(again.error()).find("s3cret"), std::string::npos);
  EXPECT_EQ(get(database, "a"), "first");
}

TEST(SqliteErrors, ForeignKeyViolationIsConflict) {
  ScratchDatabase database = open_scratch_database();
  const auto result = database->write([](WriteSession& session) {
    return session.execute("INSERT INTO project_blob (project_id, blob_id) VALUES (?, ?)", {1, 1});
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kConflict);
}

TEST(SqliteErrors, DefectsAreInternal) {
  ScratchDatabase database = database_with_values();
  const auto code = [&](std::string_view sql, std::initializer_list<Param> params) {
    const auto result = database->write([&](WriteSession& s) { return s.execute(sql, params); });
    return result ? Code::kInvalid : result.error().code;
  };
  EXPECT_EQ(code("SELEKT 1", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT ?", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT ?", {1, 2}), Code::kInternal);
  EXPECT_EQ(code("SELECT 1; SELECT 2", {}), Code::kInternal);
  EXPECT_EQ(code("", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT \"no_such_column\" FROM v", {}), Code::kInternal);
  EXPECT_EQ(code("INSERT INTO v (n) VALUES (?)", {"text"}), Code::kInternal);
  EXPECT_EQ(code("INSERT INTO property (name) VALUES (?)", {nullptr}), Code::kInternal);
}

TEST(SqliteErrors, InsertOfNotOneRowIsRefused) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "1"));
  const auto result = database->write([](WriteSession& session) {
    return session.insert(
        "INSERT INTO property (name, value, update_time) VALUES ('a', '2', 0) ON CONFLICT DO "
        "NOTHING",
        {});
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInternal);
}

TEST(SqliteErrors, OpenInMissingDirectoryFails) {
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  EXPECT_FALSE(SqliteDatabase::open({.path = "/nonexistent/x.db"}, clock, log::Logger(sink)));
}

TEST(SqliteWrite, ErrorUndoesEverything) {
  ScratchDatabase database = open_scratch_database();
  const auto result = database->write([](WriteSession& session) -> Result<void> {
    TRY(put(session, "a", "1"));
    return Error{Code::kDenied, Subject::kProject, "no", "why"};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kDenied);
  EXPECT_EQ(result.error().detail, "why");
  EXPECT_EQ(get(database, "a"), std::nullopt);
}

TEST(SqliteWrite, FunctionMayGoOnAfterAConflict) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "1"));
  ASSERT_TRUE(database->write([](WriteSession& session) -> Result<void> {
    EXPECT_FALSE(put(session, "a", "2"));
    return put(session, "b", "2");
  }));
  EXPECT_EQ(get(database, "a"), "1");
  EXPECT_EQ(get(database, "b"), "2");
}

TEST(SqliteWrite, ExceptionFailsOnlyThatFunction) {
  ScratchDatabase database = open_scratch_database();
  const auto result = database->write([](WriteSession& session) -> Result<void> {
    TRY(put(session, "a", "1"));
    throw std::runtime_error("broken");
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInternal);
  EXPECT_EQ(get(database, "a"), std::nullopt);
  EXPECT_TRUE(put(database, "b", "1"));
}

TEST(SqliteWrite, CountsChangedRowsAndReturnsIds) {
  ScratchDatabase database = database_with_values();
  EXPECT_EQ(insert_value(database, 1, nullptr, nullptr).value(), 1);
  EXPECT_EQ(insert_value(database, 2, nullptr, nullptr).value(), 2);
  const auto change = [&](std::string_view sql) {
    return database->write([&](WriteSession& session) { return session.execute(sql, {}); }).value();
  };
  EXPECT_EQ(change("UPDATE v SET n = n + 1"), 2);
  EXPECT_EQ(change("DELETE FROM v WHERE n = 3"), 1);
  EXPECT_EQ(change("DELETE FROM v WHERE n = 3"), 0);
  // The highest id was deleted and must not come back.
  EXPECT_EQ(insert_value(database, 3, nullptr, nullptr).value(), 3);
}

TEST(SqliteWrite, ReturningRowsAreReadable) {
  ScratchDatabase database = database_with_values();
  const auto id = database->write([](WriteSession& session) {
    return session.first("INSERT INTO v (n) VALUES (?) RETURNING id, n", {5},
                         [](const Row& row) { return std::pair(row.integer(0), row.integer(1)); });
  });
  EXPECT_EQ(id.value(), std::pair(std::int64_t{1}, std::int64_t{5}));
  EXPECT_EQ(value_at(database, 1).number, 5);
}

TEST(SqliteWrite, HintsRunOnlyForWhatWasCommitted) {
  ScratchDatabase database = open_scratch_database();
  std::vector<std::string> ran;
  ASSERT_TRUE(database->write([&](WriteSession& session) -> Result<void> {
    session.after_commit([&] { ran.emplace_back("good"); });
    return {};
  }));
  ASSERT_FALSE(database->write([&](WriteSession& session) -> Result<void> {
    session.after_commit([&] { ran.emplace_back("bad"); });
    return Error{Code::kDenied, Subject::kNone, "no", ""};
  }));
  ASSERT_TRUE(put(database, "later", "1"));
  EXPECT_EQ(ran, std::vector<std::string>{"good"});
}

TEST(SqliteWriteDeathTest, NestedUseAborts) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  ScratchDatabase database = open_scratch_database();
  EXPECT_DEATH(static_cast<void>(database->write(
                   [&](WriteSession&) -> Result<void> { return put(database, "a", "1"); })),
               "invariant broken");
  EXPECT_DEATH(static_cast<void>(database->write([&](WriteSession&) -> Result<void> {
                 static_cast<void>(get(database, "a"));
                 return {};
               })),
               "invariant broken");
}

TEST(SqliteRead, SnapshotDoesNotSeeLaterCommits) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "old"));
  ASSERT_TRUE(database->read([&](ReadSession& session) -> Result<void> {
    EXPECT_EQ(TRY(get(session, "a")), "old");
    EXPECT_TRUE(database->write([](WriteSession& writer) -> Result<void> {
      TRY(writer.execute("UPDATE property SET value = 'new' WHERE name = 'a'", {}));
      return put(writer, "b", "new");
    }));
    EXPECT_EQ(TRY(get(session, "a")), "old");
    EXPECT_EQ(TRY(get(session, "b")), std::nullopt);
    return {};
  }));
  EXPECT_EQ(get(database, "a"), "new");
  EXPECT_EQ(get(database, "b"), "new");
}

TEST(SqliteRead, CannotChangeAnything) {
  ScratchDatabase database = open_scratch_database();
  const auto result = database->read([](ReadSession& session) {
    return session.each("INSERT INTO property (name, value, update_time) VALUES ('a', '', 0)", {},
                        [](const Row&) { return true; });
  });
  EXPECT_FALSE(result);
  EXPECT_EQ(get(database, "a"), std::nullopt);
}

TEST(SqliteRead, StatementsAreResetAfterEarlyEndAndError) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "1"));
  ASSERT_TRUE(put(database, "b", "2"));
  for (int round = 0; round < 3; ++round) {
    const auto failed = database->read([](ReadSession& session) -> Result<void> {
      TRY(session.each("SELECT name FROM property", {}, [](const Row&) { return false; }));
      return Error{Code::kNotFound, Subject::kNone, "", ""};
    });
    EXPECT_EQ(failed.error().code, Code::kNotFound);
  }
  // A statement left open would keep its snapshot.
  ASSERT_TRUE(put(database, "c", "3"));
  EXPECT_EQ(get(database, "c"), "3");
}

TEST(SqliteRead, SameStatementInsideItself) {
  ScratchDatabase database = open_scratch_database();
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(put(database, name, "1"));
  }
  const auto pairs = database->read([](ReadSession& session) -> Result<int> {
    constexpr std::string_view kAll = "SELECT name FROM property ORDER BY name";
    int count = 0;
    TRY(session.each(kAll, {}, [&](const Row&) {
      EXPECT_TRUE(session.each(kAll, {}, [&](const Row&) { return ++count > 0; }));
      return true;
    }));
    return count;
  });
  EXPECT_EQ(pairs.value(), 9);
}

TEST(SqliteRead, ManyTextsDoNotGrowTheCacheForEver) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(database->read([](ReadSession& session) -> Result<void> {
    for (int i = 0; i < 2'000; ++i) {
      EXPECT_EQ(TRY(session.first("SELECT " + std::to_string(i), {},
                                  [](const Row& row) { return row.integer(0); })),
                i);
    }
    return {};
  }));
}

TEST(SqliteRead, TimeStandsStillInASession) {
  FakeClock clock(from_micros(1'000));
  ScratchDatabase database = open_scratch_database(clock);
  ASSERT_TRUE(database->read([&](ReadSession& session) -> Result<void> {
    const Time first = session.now();
    clock.advance(1s);
    EXPECT_EQ(session.now(), first);
    return {};
  }));
  const auto later = database->read([](ReadSession& s) -> Result<Time> { return s.now(); });
  EXPECT_EQ(later.value(), from_micros(1'001'000));
}

TEST(SqliteFile, IsPrivateAndSurvivesReopen) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "kept"));
  for (const char* suffix : {"", "-wal"}) {
    struct stat info = {};
    ASSERT_EQ(::stat((database.path().string() + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
  EXPECT_FALSE(std::filesystem::exists(database.path().string() + "-shm"))
      << "locks and the log's index live in memory";
  database.reopen();
  EXPECT_EQ(get(database, "a"), "kept");
  EXPECT_TRUE(database->ping());
}

TEST(SqliteFile, AStatementAloneIsASnapshotWithoutATransaction) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(put(database, "a", "1"));
  const auto read = [](ReadSession& session) {
    return session.first("SELECT value FROM property WHERE name = ?", {"a"},
                         [](const Row& row) { return std::string(row.text(0)); });
  };
  const std::uint64_t before = database->statistics().statements;
  EXPECT_EQ(database->read_once(read).value(), "1");
  EXPECT_EQ(database->statistics().statements, before + 1);
  ASSERT_TRUE(database->write([](WriteSession& session) {
    return session.execute("UPDATE property SET value = ? WHERE name = ?", {"2", "a"});
  }));
  EXPECT_EQ(database->read_once(read).value(), "2") << "nothing is left open between sessions";
  EXPECT_DEATH(static_cast<void>(database->read_once([&](ReadSession& session) {
                 static_cast<void>(read(session));
                 return read(session);
               })),
               "statements_left_");
}

TEST(SqliteFile, CloseLeavesNoLogBehind) {
  ScratchDatabase database = open_scratch_database();
  const std::filesystem::path log = database.path().string() + "-wal";
  ASSERT_TRUE(put(database, "a", "1"));
  EXPECT_EQ(get(database, "a"), "1");
  EXPECT_TRUE(std::filesystem::exists(log));
  database.close();
  EXPECT_FALSE(std::filesystem::exists(log));
}

TEST(SqlitePlan, HotLookupsUseTheirIndex) {
  ScratchDatabase database = open_scratch_database();
  EXPECT_NE(database.explain("SELECT artifact_id FROM tag WHERE repository_id = ? AND name = ?")
                .find("USING INDEX tag_name"),
            std::string::npos);
  EXPECT_NE(database.explain("SELECT id FROM tag WHERE push_time = ?", {1}).find("SCAN"),
            std::string::npos);
}

}  // namespace
}  // namespace roadstead::db
