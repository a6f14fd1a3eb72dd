#include "db/copy.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "db/internal/id_counters.h"
#include "db/internal/table_shapes.h"
#include "db/migration.h"
#include "db/sqlite.h"
#include "db/testing/scratch_server.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db {
namespace {

using internal::table_shapes;
using internal::TableShape;
using testing::ScratchServer;
using testing::server_url;
using testing::ServerEngine;

/// With a log for each test: one that lived on would leave its thread to the tests that fork.
class WithFiles : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteDatabase> open_file(const std::filesystem::path& path) {
    SqliteOptions options;
    options.path = path;
    auto database = SqliteDatabase::open(options, clock_, log::Logger(sink_));
    EXPECT_TRUE(database) << describe(database.error());
    return std::move(*database);
  }

 private:
  SystemClock clock_;
  log::Sink sink_{2, log::Format::kText, log::Level::kError, clock_};
};
class TableShapes : public WithFiles {};
class CopyServers : public WithFiles {};
class Copy : public WithFiles {};

const std::vector<TableShape>& shapes() {
  static const auto kShapes = table_shapes(embedded_migrations()).value();
  return kShapes;
}

const TableShape& shape_of(std::string_view name) {
  return *std::find_if(shapes().begin(), shapes().end(),
                       [&](const TableShape& table) { return table.name == name; });
}

/// Every value of a table, in the order of its key.
std::vector<std::string> rows_of(Database& database, const TableShape& table) {
  std::string columns;
  for (const TableShape::Column& column : table.columns) {
    columns += (columns.empty() ? "" : ", ") + column.name;
  }
  std::string key;
  for (const std::size_t column : table.key) {
    key += (key.empty() ? "" : ", ") + table.columns[column].name;
  }
  const auto text = [&](const Row& row) {
    std::string values;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const int column = static_cast<int>(i);
      const bool number = table.columns[i].kind == TableShape::Kind::kInteger;
      values += row.is_null(column) ? "null"
                : number            ? std::to_string(row.integer(column))
                                    : to_hex(bytes_of(row.text(column)));
      values += '|';
    }
    return values;
  };
  auto rows = database.read([&](ReadSession& session) {
    return session.all(fmt::format("SELECT {} FROM {} ORDER BY {}", columns, table.name, key), {},
                       text);
  });
  EXPECT_TRUE(rows) << describe(rows.error());
  return std::move(*rows);
}

/// An artificial row: its columns say nothing, but hold what is hard to carry. What refers to a row
/// refers to the n-th.
Result<void> insert(WriteSession& session, const TableShape& table, std::int64_t n) {
  const std::string text = fmt::format("It's \\ \"{}\" \xf0\x9f\x9a\xa2", n);
  const std::string bytes = std::string("\0\xff", 2) + std::to_string(n);
  std::string names;
  std::string values;
  std::vector<Param> params;
  for (const TableShape::Column& column : table.columns) {
    names += (names.empty() ? "" : ", ") + column.name;
    values += values.empty() ? "?" : ", ?";
    if (column.kind == TableShape::Kind::kInteger) {
      params.emplace_back(n);
    } else if (column.kind == TableShape::Kind::kBytes) {
      params.emplace_back(bytes_of(bytes));
    } else {
      params.emplace_back(text);
    }
  }
  TRY(session.execute(fmt::format("INSERT INTO {} ({}) VALUES ({})", table.name, names, values),
                      params));
  return {};
}

constexpr std::int64_t kRows = 600;  // More than a page.

void fill(Database& database) {
  for (const TableShape& table : shapes()) {
    const auto done = database.write([&](WriteSession& session) -> Result<void> {
      for (std::int64_t n = 1; n <= kRows; ++n) {
        TRY(insert(session, table, n));
      }
      return {};
    });
    ASSERT_TRUE(done) << table.name << ": " << describe(done.error());
  }
  ASSERT_TRUE(database.write([](WriteSession& session) -> Result<void> {
    // Ids that were given and whose rows are gone must not come back.
    TRY(session.execute("DELETE FROM review WHERE id > 500", {}));
    TRY(session.execute("DELETE FROM event_outbox", {}));
    TRY(session.execute("UPDATE user_account SET email = NULL WHERE id = 5", {}));
    return {};
  }));
}

std::int64_t next_event(Database& database) {
  return database
      .write([](WriteSession& session) {
        return session.insert("INSERT INTO event_outbox (type, payload, op_time) VALUES (?, ?, ?)",
                              {"t", "", 0});
      })
      .value();
}

void expect_same(const CopyEnd& source, const CopyEnd& target) {
  for (const TableShape& table : shapes()) {
    EXPECT_EQ(rows_of(source.database, table), rows_of(target.database, table)) << table.name;
    if (table.gives_ids) {
      EXPECT_EQ(internal::last_id(source, table.name).value(),
                internal::last_id(target, table.name).value())
          << table.name;
    }
  }
}

TEST_F(TableShapes, AreThoseOfTheSchema) {
  const sys::testing::ScratchDirectory directory;
  const auto database = open_file(directory.path() / "d");
  const auto words = [&](std::string_view sql, std::initializer_list<Param> params) {
    std::string all;
    EXPECT_TRUE(database->read([&](ReadSession& session) {
      return session.each(sql, params, [&](const Row& row) {
        all += std::string(row.text(0)) + ' ';
        return true;
      });
    }));
    return all;
  };
  std::set<std::string> names;
  for (const TableShape& table : shapes()) {
    std::string columns;
    for (const TableShape::Column& column : table.columns) {
      columns += column.name + ' ';
    }
    std::string key;
    for (const std::size_t column : table.key) {
      key += table.columns[column].name + ' ';
    }
    EXPECT_EQ(columns, words("SELECT name FROM pragma_table_info(?) ORDER BY cid", {table.name}));
    EXPECT_EQ(
        key, words("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", {table.name}));
    names.insert(table.name);
  }
  const std::string tables = words(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name "
      "<> 'schema_version'",
      {});
  std::set<std::string> present;
  for (const std::string_view name : split(tables, ' ')) {
    present.emplace(name);
  }
  present.erase("");
  EXPECT_EQ(names, present);
}

TEST_F(TableShapes, AStrangeMigrationIsRefused) {
  for (const char* text : {"CREATE TABLE a (id TEXT);\n", "CREATE TABLE a (\n n {int}\n);\n",
                           "DROP TABLE a;\n", "ALTER TABLE a ADD COLUMN b {int};\n"}) {
    const std::array<Migration, 1> migrations = {Migration{1, "x", text}};
    EXPECT_FALSE(table_shapes(migrations)) << text;
  }
}

/// SQLite → PostgreSQL → MySQL → SQLite, as far as there are servers.
TEST_F(CopyServers, ContentIsEqualAllTheWayRound) {
  const sys::testing::ScratchDirectory directory;
  std::vector<std::unique_ptr<ScratchServer>> servers;
  std::vector<std::unique_ptr<Database>> databases;
  std::vector<CopyEnd> ends;
  const auto add = [&](std::unique_ptr<Database> database, Engine engine) {
    ends.push_back({*database, engine});
    databases.push_back(std::move(database));
  };
  add(open_file(directory.path() / "first"), Engine::kSqlite);
  for (const ServerEngine engine : {ServerEngine::kPostgresql, ServerEngine::kMysql}) {
    if (server_url(engine)) {
      servers.push_back(std::make_unique<ScratchServer>(engine));
      add(servers.back()->open(),
          engine == ServerEngine::kMysql ? Engine::kMysql : Engine::kPostgresql);
    }
  }
  add(open_file(directory.path() / "last"), Engine::kSqlite);
  fill(ends.front().database);
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const auto report = copy_database(ends[i], ends[i + 1]);
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->tables, shapes().size());
    EXPECT_EQ(report->rows, kRows * shapes().size() - 100 - kRows);
    expect_same(ends[i], ends[i + 1]);
  }
  expect_same(ends.front(), ends.back());
  for (const CopyEnd& end : ends) {
    EXPECT_EQ(next_event(end.database), kRows + 1);
  }
}

TEST_F(CopyServers, AServerIsCopiedIntoAFile) {
  for (const ServerEngine engine : {ServerEngine::kPostgresql, ServerEngine::kMysql}) {
    if (!server_url(engine)) {
      continue;
    }
    const sys::testing::ScratchDirectory directory;
    const std::filesystem::path path = directory.path() / "copy";
    const ScratchServer server(engine);
    const auto database = server.open();
    fill(*database);
    const auto copied = database->copy_to(path);
    ASSERT_TRUE(copied) << describe(copied.error());
    EXPECT_TRUE(check_sqlite_file(path));
    EXPECT_EQ(database->copy_to(path).error().code, Code::kConflict);
    const auto file = open_file(path);
    for (const TableShape& table : shapes()) {
      EXPECT_EQ(rows_of(*database, table), rows_of(*file, table)) << table.name;
    }
  }
}

TEST_F(Copy, ATargetWithRowsIsRefused) {
  const sys::testing::ScratchDirectory directory;
  const auto source = open_file(directory.path() / "source");
  const auto target = open_file(directory.path() / "target");
  next_event(*target);
  const auto refused = copy_database({*source, Engine::kSqlite}, {*target, Engine::kSqlite});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
  EXPECT_NE(refused.error().message.find("event_outbox"), std::string::npos);
}

TEST_F(Copy, ADifferentSchemaIsRefused) {
  const sys::testing::ScratchDirectory directory;
  const auto source = open_file(directory.path() / "source");
  const auto target = open_file(directory.path() / "target");
  ASSERT_TRUE(source->write([](WriteSession& session) {
    return session.execute("DELETE FROM schema_version WHERE version = ?",
                           {embedded_migrations().back().version});
  }));
  const auto refused = copy_database({*source, Engine::kSqlite}, {*target, Engine::kSqlite});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
}

TEST_F(Copy, AnUnfinishedOneCannotBeOpened) {
  const sys::testing::ScratchDirectory directory;
  const auto source = open_file(directory.path() / "source");
  auto target = open_file(directory.path() / "target");
  fill(*source);
  // In the middle something of ours stands where a row of theirs belongs.
  const auto failed = copy_database(
      {*source, Engine::kSqlite}, {*target, Engine::kSqlite}, [&](std::string_view table) {
        if (table == "tag_history") {
          EXPECT_TRUE(target->write(
              [&](WriteSession& session) { return insert(session, shape_of(table), 300); }));
        }
      });
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("tag_history"), std::string::npos);
  target.reset();
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  SqliteOptions options;
  options.path = directory.path() / "target";
  const auto again = SqliteDatabase::open(options, clock, log::Logger(sink));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kPrecondition);
}

TEST_F(Copy, EnginesAreToldByTheUrl) {
  EXPECT_EQ(engine_of("sqlite:/x"), Engine::kSqlite);
  EXPECT_EQ(engine_of("mysql://u@h/d"), Engine::kMysql);
  EXPECT_EQ(engine_of("postgres://h/d"), Engine::kPostgresql);
  EXPECT_EQ(engine_of("postgresql://h/d"), Engine::kPostgresql);
}

}  // namespace
}  // namespace roadstead::db
