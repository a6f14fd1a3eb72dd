#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "db/testing/server_fixture.h"

/// WriteSession::execute_later() on servers: what may wait for a later answer is still all of it,
/// in its order, or nothing.

namespace roadstead::db::testing {
namespace {

class ServerLaterTest : public ServerFixture {
 protected:
  static constexpr std::string_view kPut =
      "INSERT INTO property (name, value, update_time) VALUES (?, ?, 0)";
  static constexpr std::string_view kChange = "UPDATE property SET value = ? WHERE name = ?";
};

INSTANTIATE_TEST_SUITE_P(Engines, ServerLaterTest,
                         ::testing::Values(ServerEngine::kPostgresql, ServerEngine::kMysql),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(ServerLaterTest, IsThereWithTheCommit) {
  const auto database = server().open();
  ASSERT_TRUE(database->write([](WriteSession& session) -> Result<void> {
    // The parameters are gone before anything is answered.
    TRY(session.execute_later(kPut, {std::string("a") + "b", std::string(100'000, 'x')}));
    return {};
  }));
  EXPECT_EQ(get(*database, "ab"), std::string(100'000, 'x'));
}

TEST_P(ServerLaterTest, KeepsItsPlaceAmongTheOthers) {
  const auto database = server().open();
  ASSERT_TRUE(database->write([](WriteSession& session) -> Result<void> {
    TRY(session.execute_later(kPut, {"a", "1"}));
    EXPECT_EQ(TRY(get(session, "a")), "1");
    TRY(session.execute_later(kChange, {"2", "a"}));
    EXPECT_EQ(TRY(session.execute("UPDATE property SET value = '3' WHERE value = '2'", {})), 1);
    TRY(session.execute_later(kChange, {"4", "a"}));
    return {};
  }));
  EXPECT_EQ(get(*database, "a"), "4");
}

TEST_P(ServerLaterTest, AFunctionThatFailsKeepsNothing) {
  const auto database = server().open();
  const auto result = database->write([](WriteSession& session) -> Result<void> {
    TRY(session.execute_later(kPut, {"a", "1"}));
    return Error{Code::kDenied, Subject::kProject, "no", ""};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kDenied);
  EXPECT_EQ(get(*database, "a"), std::nullopt);
}

TEST_P(ServerLaterTest, AViolationFailsTheCommit) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "1"));
  int runs = 0;
  const auto result = database->write([&](WriteSession& session) -> Result<void> {
    ++runs;
    TRY(session.execute_later(kPut, {"before", "1"}));
    TRY(session.execute_later(kPut, {"a", "2"}));
    TRY(session.execute_later(kPut, {"after", "1"}));
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kConflict);
  EXPECT_GT(runs, 1) << "it may have been a race";
  EXPECT_EQ(get(*database, "a"), "1");
  EXPECT_EQ(get(*database, "before"), std::nullopt);
  EXPECT_EQ(get(*database, "after"), std::nullopt);
  EXPECT_TRUE(put(*database, "more", "1")) << "the connection is as good as before";
}

TEST_P(ServerLaterTest, AViolationFailsTheStatementBehindIt) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "1"));
  const auto result = database->write([](WriteSession& session) -> Result<void> {
    static_cast<void>(session.execute_later(kPut, {"a", "2"}));
    EXPECT_FALSE(get(session, "a"));
    EXPECT_FALSE(put(session, "b", "1"));
    return {};
  });
  ASSERT_FALSE(result) << "whatever the function says";
  EXPECT_EQ(result.error().code, Code::kConflict);
  EXPECT_EQ(get(*database, "b"), std::nullopt);
}

TEST_P(ServerLaterTest, ADefectIsToldWithItsText) {
  const auto database = server().open();
  for (int round = 0; round < 2; ++round) {
    const auto result = database->write([](WriteSession& session) -> Result<void> {
      TRY(session.execute_later(kPut, {"a", "1"}));
      TRY(session.execute_later("UPDATE no_such_table SET n = 1", {}));
      TRY(session.execute_later(kPut, {"b", "1"}));
      return {};
    });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kInternal);
    EXPECT_NE(result.error().message.find("UPDATE no_such_table"), std::string::npos)
        << result.error().message;
  }
  EXPECT_EQ(get(*database, "a"), std::nullopt);
  // What was behind the defect was never prepared, and is now.
  ASSERT_TRUE(put(*database, "a", "1"));
  EXPECT_EQ(get(*database, "a"), "1");
}

TEST_P(ServerLaterTest, ManyTextsAndManyStatements) {
  const auto database = server().open();
  ASSERT_TRUE(database->write([](WriteSession& session) -> Result<void> {
    TRY(session.execute_later(kPut, {"a", ""}));
    for (int i = 0; i < 1'500; ++i) {
      TRY(session.execute_later(
          fmt::format("UPDATE property SET update_time = update_time + {} WHERE name = 'a'", i),
          {}));
    }
    return {};
  }));
  const auto sum = database->read_once([](ReadSession& session) {
    return session.first("SELECT update_time FROM property WHERE name = 'a'", {},
                         [](const Row& row) { return row.integer(0); });
  });
  EXPECT_EQ(sum.value(), 1'499 * 1'500 / 2);
}

TEST_P(ServerLaterTest, WithoutPreparedStatementsAndWithoutSync) {
  const auto database = server().open("prepared_statements=false");
  const auto change = [](WriteSession& session) -> Result<void> {
    TRY(session.execute_later(kPut, {"a", "1"}));
    TRY(session.execute_later(kChange, {"2", "a"}));
    return {};
  };
  ASSERT_TRUE(database->write(change, Durability::kProcessDeath));
  EXPECT_EQ(get(*database, "a"), "2");
}

TEST_P(ServerLaterTest, NothingAtAllIsATransactionToo) {
  const auto database = server().open();
  EXPECT_TRUE(database->write([](WriteSession&) -> Result<void> { return {}; }));
  const auto refused = database->write(
      [](WriteSession&) -> Result<void> { return Error{Code::kDenied, Subject::kNone, "no", ""}; });
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_TRUE(put(*database, "a", "1"));
}

}  // namespace
}  // namespace roadstead::db::testing
