#include "db/internal/mysql_migration.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "db/testing/scratch_server.h"

namespace roadstead::db::internal {
namespace {

using testing::ScratchServer;
using testing::server_url;
using testing::ServerEngine;

class MysqlMigrationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!server_url(ServerEngine::kMysql)) {
      GTEST_SKIP() << "no server: its URL is not in ROADSTEAD_TEST_MYSQL_URL";
    }
    server_ = std::make_unique<ScratchServer>(ServerEngine::kMysql);
    server_->remove_tables();
  }
  [[nodiscard]] ScratchServer& server() const { return *server_; }
  [[nodiscard]] Result<int> migrate(std::string_view text) const {
    const std::array<Migration, 1> migrations = {Migration{1, "test", text}};
    return migrate_mysql(parse_server_url(server().url()).value(), migrations);
  }
  [[nodiscard]] std::string progress() const {
    const auto rows = server().rows("SELECT CAST(statements AS CHAR) FROM schema_progress");
    return rows.empty() ? "none" : rows.front();
  }

 private:
  std::unique_ptr<ScratchServer> server_;
};

constexpr std::string_view kTable = "CREATE TABLE a (id {id}, n {int} NOT NULL);\n";
constexpr std::string_view kIndex = "CREATE INDEX a_n ON a (n);\n";
constexpr std::string_view kColumn =
    "ALTER TABLE a ADD COLUMN t {text} NOT NULL DEFAULT {empty};\n";
constexpr std::string_view kRow = "INSERT INTO a (n) VALUES (7);\n";
constexpr std::string_view kBroken = "CREATE TABLE broken;\n";

std::string joined(std::initializer_list<std::string_view> statements) {
  std::string text;
  for (const std::string_view statement : statements) {
    text += statement;
  }
  return text;
}

TEST_F(MysqlMigrationTest, GoesOnWhereItEnded) {
  EXPECT_FALSE(migrate(joined({kTable, kRow, kIndex, kBroken})));
  EXPECT_EQ(progress(), "3");
  EXPECT_EQ(migrate(joined({kTable, kRow, kIndex, kColumn})).value(), 1);
  EXPECT_EQ(server().rows("SELECT t FROM a WHERE n = 7").size(), 1U) << "a row is made once";
  EXPECT_EQ(progress(), "none");
  EXPECT_EQ(migrate(joined({kTable, kRow, kIndex, kColumn})).value(), 0);
}

TEST_F(MysqlMigrationTest, AStatementWhoseProgressWasLostMayHaveHappened) {
  const std::vector<std::string> texts = {
      joined({kTable, kBroken}), joined({kTable, kIndex, kBroken}),
      joined({kTable, kIndex, kColumn, kBroken}),
      joined({kTable, kIndex, kColumn, "DROP INDEX a_n ON a;\n", kBroken}),
      joined({kTable, kIndex, kColumn, "DROP INDEX a_n ON a;\n"})};
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    EXPECT_FALSE(migrate(texts[i])) << i;
    EXPECT_EQ(progress(), std::to_string(i + 1));
    server().run("UPDATE schema_progress SET statements = statements - 1");
  }
  EXPECT_EQ(migrate(texts.back()).value(), 1);
}

TEST_F(MysqlMigrationTest, OnlyThatOneMayHaveHappened) {
  EXPECT_FALSE(migrate(joined({kTable, kIndex, kBroken})));
  server().run("UPDATE schema_progress SET statements = 0");
  EXPECT_FALSE(migrate(joined({kTable, kIndex}))) << "the index is somebody else's";
}

TEST_F(MysqlMigrationTest, TablesOfOthersAreNotTakenForOurs) {
  server().run("CREATE TABLE a (id INT)");
  EXPECT_FALSE(migrate(kTable));
}

TEST_F(MysqlMigrationTest, TheWholeSchemaAfterEachOfItsStatements) {
  const auto options = parse_server_url(server().url()).value();
  const Migration& first = embedded_migrations().front();
  std::size_t rounds = 0;
  for (std::size_t end = first.text.find(";\n"); end != std::string_view::npos;
       end = first.text.find(";\n", end + 1)) {
    const std::string text = std::string(first.text.substr(0, end + 2)) + std::string(kBroken);
    EXPECT_FALSE(migrate(text));
    server().run("UPDATE schema_progress SET statements = statements - 1 WHERE statements > 0");
    ++rounds;
  }
  EXPECT_GT(rounds, 30U);
  const auto applied = migrate_mysql(options, embedded_migrations());
  ASSERT_TRUE(applied) << describe(applied.error());
  EXPECT_EQ(*applied, static_cast<int>(embedded_migrations().size()));
}

}  // namespace
}  // namespace roadstead::db::internal
