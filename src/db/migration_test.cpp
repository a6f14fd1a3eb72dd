#include "db/migration.h"

#include <gtest/gtest.h>

#include "db/internal/sqlite_connection.h"
#include "db/internal/sqlite_session.h"
#include "db/testing/scratch_database.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db {
namespace {

using testing::open_scratch_database;
using testing::ScratchDatabase;

std::int64_t count(Database& database, std::string_view table) {
  return database
      .read([&](ReadSession& session) -> Result<std::int64_t> {
        const auto found = TRY(session.first("SELECT count(*) FROM " + std::string(table), {},
                                             [](const Row& row) { return row.integer(0); }));
        return found.value_or(-1);
      })
      .value();
}

TEST(Render, ReplacesTokensAndDropsComments) {
  const auto statements = render(
      "-- a note about {nothing}\n"
      "CREATE TABLE t (\n"
      "  id {id},\n"
      "  -- inside; too\n"
      "  name {name} NOT NULL\n"
      ");\n"
      "\n"
      "CREATE INDEX t_name ON t (name);\n",
      sqlite_dialect());
  ASSERT_TRUE(statements);
  ASSERT_EQ(statements->size(), 2U);
  EXPECT_EQ((*statements)[0],
            "CREATE TABLE t (\n  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
            "  name TEXT NOT NULL\n) STRICT");
  EXPECT_EQ((*statements)[1], "CREATE INDEX t_name ON t (name)");
}

TEST(Render, EdgeTableHasNoRowid) {
  const auto statements = render(
      "CREATE TABLE e (a {int} NOT NULL, b {int} NOT NULL, PRIMARY KEY (a, b));", sqlite_dialect());
  ASSERT_TRUE(statements);
  EXPECT_TRUE((*statements)[0].ends_with("PRIMARY KEY (a, b)) STRICT, WITHOUT ROWID"));
}

TEST(Render, RefusesUnknownTokenAndMissingEnd) {
  EXPECT_EQ(render("CREATE TABLE t (a {integer});", sqlite_dialect()).error().code,
            Code::kInternal);
  EXPECT_EQ(render("CREATE TABLE t (a {int", sqlite_dialect()).error().code, Code::kInternal);
  EXPECT_EQ(render("CREATE TABLE t (a {int)", sqlite_dialect()).error().code, Code::kInternal);
  EXPECT_EQ(render("CREATE TABLE t (a {int);", sqlite_dialect()).error().code, Code::kInternal);
}

TEST(EmbeddedMigrations, AreNumberedFromOne) {
  int expected = 0;
  for (const Migration& migration : embedded_migrations()) {
    EXPECT_EQ(migration.version, ++expected);
    EXPECT_FALSE(migration.name.empty());
  }
  EXPECT_GE(expected, 1);
}

TEST(Migrate, AppliesOnceAcrossReopen) {
  ScratchDatabase database = open_scratch_database();
  const auto versions = static_cast<std::int64_t>(embedded_migrations().size());
  EXPECT_EQ(count(*database, "schema_version"), versions);
  EXPECT_EQ(count(*database, "project"), 0);
  database.reopen();
  EXPECT_EQ(count(*database, "schema_version"), versions);
}

TEST(Migrate, RefusesNewerSchema) {
  ScratchDatabase database = open_scratch_database();
  ASSERT_TRUE(database->write([](WriteSession& session) {
    return session.execute(
        "INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?)",
        {99'999, "future", session.now()});
  }));
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  const auto opened = SqliteDatabase::open({.path = database.path()}, clock, log::Logger(sink));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kPrecondition);
}

TEST(Migrate, FailureInTheMiddleLeavesNothingOfItBehind) {
  ScratchDatabase database = open_scratch_database();
  const std::vector<Migration> migrations = {
      {.version = 100'000, .name = "half", .text = "CREATE TABLE half (a {int});\nNONSENSE;\n"}};
  const auto result = database->write([&](WriteSession& session) -> Result<void> {
    TRY(migrate(session, migrations, sqlite_dialect()));
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInternal);
  EXPECT_EQ(database
                ->read([](ReadSession& session) {
                  return session.first("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", {},
                                       [](const Row& row) { return row.integer(0); });
                })
                .value(),
            0);
}

/// A database as the first version left it: 3,000 public projects and, in the first of them, one
/// repository with 2,500 images, each in an index of its own.
Result<void> fill_first_version(WriteSession& session) {
  const std::string numbers =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ";
  TRY(session.execute("INSERT INTO user_account VALUES (1, 'a', NULL, '', '', '', 1, 0, 1, 0, 0)",
                      {}));
  TRY(session.execute(numbers + "3000) INSERT INTO project SELECT i, 'p' || i, 1, 1, 5, 5 FROM n",
                      {}));
  TRY(session.execute("INSERT INTO repository VALUES (1, 1, 'r', 'p1/r', '', 5000, 0, 7, 7)", {}));
  TRY(session.execute("INSERT INTO repository VALUES (2, 1, 's', 'p1/s', '', 0, 0, 8, 8)", {}));
  TRY(session.execute("INSERT INTO manifest VALUES (1, 'd', 't', NULL, NULL, 0, x'')", {}));
  TRY(session.execute(
      numbers + "5000) INSERT INTO artifact SELECT i, 1, 1, 1, 'd' || i, '', '', '', NULL, "
                "'', '', 0, 0, NULL, 9, NULL FROM n",
      {}));
  TRY(session.execute(
      numbers + "2500) INSERT INTO artifact_child SELECT 2 * i, 2 * i - 1, 0, '' FROM n", {}));
  TRY(session.execute("INSERT INTO blob VALUES (7, 'b', 1, 'sha256:b', NULL, 0)", {}));
  TRY(session.execute("INSERT INTO repository_blob VALUES (1, 7, 1, 0, NULL)", {}));
  TRY(session.execute("INSERT INTO project_blob VALUES (1, 7)", {}));
  return {};
}

TEST(Migrate, CountsTheListsOfTheFirstVersion) {
  const sys::testing::ScratchDirectory directory;
  const SystemClock clock;
  const auto connection =
      internal::SqliteConnection::open({.path = directory.path() / "old.db",
                                        .access = internal::SqliteConnection::Access::kWrite})
          .value();
  ASSERT_TRUE(connection->run("BEGIN"));
  internal::SqliteSession session(*connection, clock);
  ASSERT_TRUE(migrate(session, embedded_migrations().first(1), sqlite_dialect()));
  const auto filled = fill_first_version(session);
  ASSERT_TRUE(filled) << describe(filled.error());
  ASSERT_TRUE(migrate(session, embedded_migrations(), sqlite_dialect()));
  const auto number = [&](std::string_view sql) {
    return session.first(sql, {}, [](const Row& row) { return row.integer(0); }).value().value();
  };
  EXPECT_EQ(number("SELECT SUM(entries) FROM list_bucket WHERE list = 'project'"), 3000);
  EXPECT_EQ(number("SELECT COUNT(*) FROM list_bucket WHERE list = 'public_project'"), 3);
  EXPECT_EQ(number("SELECT SUM(entries) FROM list_bucket WHERE list = 'repository'"), 1);
  EXPECT_EQ(number("SELECT SUM(entries) FROM list_bucket WHERE list = 'project_repository' AND "
                   "scope_id = 1"),
            1);
  EXPECT_EQ(number("SELECT SUM(entries) FROM list_bucket WHERE list = 'artifact' AND scope_id = 1"),
            2500)
      << "children of an index are not listed";
  EXPECT_EQ(number("SELECT COUNT(*) FROM artifact WHERE listed = 1 AND id % 2 = 0"), 2500);
  // Each stretch begins where the ones before it end.
  EXPECT_EQ(
      number("SELECT COUNT(*) FROM list_bucket b WHERE list = 'artifact' AND (SELECT COUNT(*) "
             "FROM artifact a WHERE a.listed = 1 AND (a.push_time, a.id) < (b.first_time, "
             "b.first_id)) <> (SELECT COALESCE(SUM(entries), 0) FROM list_bucket c WHERE "
             "c.list = 'artifact' AND (c.first_time, c.first_id) < (b.first_time, b.first_id))"),
      0);
  EXPECT_EQ(number("SELECT MIN(first_id) FROM list_bucket"), 0) << "before every entry";
  EXPECT_EQ(number("SELECT COUNT(*) FROM project_blob WHERE project_id = 1 AND blob_id = 7"), 1);
  const auto dropped = session.execute("DELETE FROM blob WHERE id = 7", {});
  EXPECT_EQ(dropped.error().code, Code::kConflict) << "a repository holds it";
  ASSERT_TRUE(connection->run("COMMIT"));
}

TEST(Migrate, AppliesOnlyWhatIsMissing) {
  ScratchDatabase database = open_scratch_database();
  std::vector<Migration> migrations(embedded_migrations().begin(), embedded_migrations().end());
  migrations.push_back({.version = migrations.back().version + 1,
                        .name = "extra",
                        .text = "CREATE TABLE extra (a {int});\n"});
  const auto apply = [&](WriteSession& session) {
    return migrate(session, migrations, sqlite_dialect());
  };
  EXPECT_EQ(database->write(apply).value(), 1);
  EXPECT_EQ(database->write(apply).value(), 0);
  EXPECT_EQ(count(*database, "extra"), 0);
}

}  // namespace
}  // namespace roadstead::db
