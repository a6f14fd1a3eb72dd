#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "db/migration.h"
#include "db/server.h"
#include "db/testing/server_fixture.h"

namespace roadstead::db::testing {
namespace {

using namespace std::chrono_literals;

class ServerValuesTest : public ServerFixture {};

INSTANTIATE_TEST_SUITE_P(Engines, ServerValuesTest,
                         ::testing::Values(ServerEngine::kPostgresql, ServerEngine::kMysql),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(ServerValuesTest, ValuesComeBack) {
  const auto database = database_with_values();
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) {
    all_bytes += static_cast<char>(i);
  }
  const std::string text = "It's \\n \"quoted\" \xc3\xa4 \xf0\x9f\x9a\xa2 ? %s $1";
  for (const std::int64_t number : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                    std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
    const auto id = insert_value(*database, number, text, std::as_bytes(std::span(all_bytes)));
    ASSERT_TRUE(id) << describe(id.error());
    EXPECT_EQ(value_at(*database, *id), (Value{false, false, false, number, text, all_bytes}));
  }
}

TEST_P(ServerValuesTest, NullAndEmptyDiffer) {
  const auto database = database_with_values();
  const auto null = insert_value(*database, std::optional<int>(), nullptr, nullptr);
  EXPECT_EQ(value_at(*database, null.value()), (Value{true, true, true, 0, "", ""}));
  const auto empty = insert_value(*database, 0, std::string_view(), std::span<const std::byte>());
  EXPECT_EQ(value_at(*database, empty.value()), (Value{false, false, false, 0, "", ""}));
}

TEST_P(ServerValuesTest, LargeValues) {
  const auto database = database_with_values();
  const std::string large(4U << 20U, '\x07');
  const auto id = insert_value(*database, 1, large, std::as_bytes(std::span(large)));
  ASSERT_TRUE(id) << describe(id.error());
  const Value value = value_at(*database, *id);
  EXPECT_TRUE(value.text == large);
  EXPECT_TRUE(value.bytes == large);
}

TEST_P(ServerValuesTest, SumsAreNumbers) {
  const auto database = database_with_values();
  constexpr std::int64_t kLarge = 4'000'000'000'000'000'000;
  ASSERT_TRUE(insert_value(*database, kLarge, nullptr, nullptr));
  ASSERT_TRUE(insert_value(*database, -5, nullptr, nullptr));
  const auto sums = database->read([](ReadSession& session) {
    return session.first(
        "SELECT SUM(n), SUM(CASE WHEN n < ? THEN n ELSE ? END), COUNT(*), SUM(n) FROM v WHERE n > ?"
        " AND n <> 1",
        {0, 0, -100}, [](const Row& row) {
          return std::array{row.integer(0), row.integer(1), row.integer(2), row.integer(3)};
        });
  });
  EXPECT_EQ(sums.value().value(), (std::array<std::int64_t, 4>{kLarge - 5, -5, 2, kLarge - 5}));
}

TEST_P(ServerValuesTest, NamesAreComparedByteByByte) {
  const auto database = server().open();
  for (const char* name : {"b", "A", "a", "a ", "B", "\xc3\xa4", "a-", "a.", "a/"}) {
    ASSERT_TRUE(put(*database, name, name)) << name;
  }
  const auto names = database->read([](ReadSession& session) {
    return session.all("SELECT name FROM property WHERE name >= ? ORDER BY name LIMIT 20", {"A"},
                       [](const Row& row) { return std::string(row.text(0)); });
  });
  EXPECT_EQ(names.value(),
            (std::vector<std::string>{"A", "B", "a", "a ", "a-", "a.", "a/", "b", "\xc3\xa4"}));
  EXPECT_EQ(get(*database, "a "), "a ");
  EXPECT_EQ(get(*database, "a"), "a");
}

TEST_P(ServerValuesTest, RowsAreComparedInOrder) {
  const auto database = database_with_values();
  for (const int n : {2, 1, 2, 1, 3}) {
    ASSERT_TRUE(insert_value(*database, n, nullptr, nullptr));
  }
  const auto page = [&](std::string_view operation) {
    const std::string sql = "SELECT id FROM v WHERE (n, id) " + std::string(operation) +
                            " (?, ?) ORDER BY n, id LIMIT 9";
    return database
        ->read([&](ReadSession& session) {
          return session.all(sql, {2, 1}, [](const Row& row) { return row.integer(0); });
        })
        .value();
  };
  EXPECT_EQ(page(">"), (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(page(">="), (std::vector<std::int64_t>{1, 3, 5}));
  EXPECT_EQ(page("<"), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(page("<="), (std::vector<std::int64_t>{2, 4, 1}));
}

TEST_P(ServerValuesTest, IdsRiseAndMatchedRowsCount) {
  const auto database = database_with_values();
  EXPECT_EQ(insert_value(*database, 1, nullptr, nullptr).value(), 1);
  EXPECT_EQ(insert_value(*database, 2, nullptr, nullptr).value(), 2);
  const auto change = [&](std::string_view sql) {
    return database->write([&](WriteSession& session) { return session.execute(sql, {}); }).value();
  };
  EXPECT_EQ(change("UPDATE v SET n = 3"), 2);
  EXPECT_EQ(change("UPDATE v SET n = 3"), 2) << "rows that were so before count, too";
  EXPECT_EQ(change("DELETE FROM v WHERE id = 2"), 1);
  EXPECT_EQ(change("DELETE FROM v WHERE id = 2"), 0);
  EXPECT_EQ(insert_value(*database, 3, nullptr, nullptr).value(), 3)
      << "the highest id was deleted and must not come back";
}

TEST_P(ServerValuesTest, ViolationsAreConflictsThatNameTheirConstraint) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "first"));
  const auto again = put(*database, "a", "s3cret");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_EQ(again.error().subject, Subject::kDatabase);
  EXPECT_FALSE(again.error().detail.empty());
  EXPECT_EQ(describe(again.error()).find("s3cret"), std::string::npos);
  const auto key = database->write([](WriteSession& session) {
    return session.execute("INSERT INTO project_blob (project_id, blob_id) VALUES (?, ?)", {1, 1});
  });
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kConflict);
  EXPECT_NE(key.error().detail.find("project_blob"), std::string::npos) << key.error().detail;
  EXPECT_EQ(get(*database, "a"), "first");
}

TEST_P(ServerValuesTest, TextThatIsNoneIsInvalid) {
  const auto database = database_with_values();
  const auto bad = insert_value(*database, 1, "\xff\xfe", nullptr);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInvalid);
  const std::string long_name(300, 'x');
  const auto too_long = put(*database, long_name, "");
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Code::kInvalid);
}

TEST_P(ServerValuesTest, DefectsAreInternal) {
  const auto database = database_with_values();
  const auto code = [&](std::string_view sql, std::initializer_list<Param> params) {
    const auto result = database->write([&](WriteSession& s) { return s.execute(sql, params); });
    return result ? Code::kInvalid : result.error().code;
  };
  EXPECT_EQ(code("SELEKT 1", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT n FROM v WHERE n = ?", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT n FROM v WHERE n = ?", {1, 2}), Code::kInternal);
  EXPECT_EQ(code("SELECT 1; SELECT 2", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT \"no_such_column\" FROM v", {}), Code::kInternal);
  EXPECT_EQ(code("INSERT INTO property (name) VALUES (?)", {nullptr}), Code::kInternal);
  EXPECT_TRUE(put(*database, "later", "1")) << "the connection is as good as before";
  EXPECT_EQ(database->statistics().connection_losses, 0U);
}

}  // namespace
}  // namespace roadstead::db::testing
