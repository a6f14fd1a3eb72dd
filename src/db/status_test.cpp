#include "db/status.h"

#include <gtest/gtest.h>

#include "db/migration.h"
#include "db/server.h"
#include "db/sqlite.h"
#include "db/testing/scratch_server.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db {
namespace {

using testing::ScratchServer;
using testing::server_url;
using testing::ServerEngine;

/// Before the schema, with it, and with one that this program does not know.
void expect_all(Database& bare, Engine engine, std::string_view name,
                const std::function<void()>& bring_up_to_date) {
  const auto before = read_status({bare, engine});
  ASSERT_TRUE(before) << describe(before.error());
  EXPECT_TRUE(before->engine.starts_with(name)) << before->engine;
  EXPECT_EQ(before->version, 0);
  EXPECT_FALSE(before->too_new);
  EXPECT_EQ(before->pending.size(), embedded_migrations().size());
  EXPECT_EQ(before->pending.front(), "1 core");
  bring_up_to_date();
  const auto after = read_status({bare, engine});
  EXPECT_EQ(after->version, embedded_migrations().back().version);
  EXPECT_TRUE(after->pending.empty());
  ASSERT_TRUE(bare.write(
      [](WriteSession& session) { return record_migration(session, {999, "later", {}}); }));
  EXPECT_TRUE(read_status({bare, engine})->too_new);
}

TEST(Status, OfTheEmbeddedEngine) {
  const sys::testing::ScratchDirectory directory;
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  SqliteOptions options;
  options.path = directory.path() / "d";
  options.migrate = false;
  auto bare = SqliteDatabase::open(options, clock, log::Logger(sink));
  ASSERT_TRUE(bare);
  expect_all(**bare, Engine::kSqlite, "SQLite 3", [&] {
    ASSERT_TRUE((*bare)->write([](WriteSession& session) {
      return migrate(session, embedded_migrations(), sqlite_dialect());
    }));
  });
}

TEST(StatusServers, OfEachServer) {
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  for (const ServerEngine engine : {ServerEngine::kPostgresql, ServerEngine::kMysql}) {
    if (!server_url(engine)) {
      continue;
    }
    const bool mysql = engine == ServerEngine::kMysql;
    const ScratchServer server(engine);
    server.remove_tables();
    ServerOptions options = parse_server_url(server.url()).value();
    options.migrate = false;
    const auto bare = open_server_database(options, log::Logger(sink));
    ASSERT_TRUE(bare) << describe(bare.error());
    expect_all(**bare, mysql ? Engine::kMysql : Engine::kPostgresql, mysql ? "M" : "PostgreSQL",
               [&] { ASSERT_NE(server.open(), nullptr); });
  }
}

}  // namespace
}  // namespace roadstead::db
