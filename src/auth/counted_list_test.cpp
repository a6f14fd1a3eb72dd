#include "auth/counted_list.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "db/testing/query_plans.h"
#include "db/testing/scratch_database.h"

namespace roadstead::auth {
namespace {

/// Any table with ordered keys will do: properties by name.
Result<std::optional<ListKey>> nth_property(db::ReadSession& session, std::int64_t /*scope*/,
                                            const ListKey& from, std::int64_t skip) {
  EXPECT_LE(skip, kBucketMax);
  return session.first("SELECT name FROM property WHERE name >= ? ORDER BY name LIMIT 1 OFFSET ?",
                       {from.name, skip},
                       [](const db::Row& row) { return ListKey{std::string(row.text(0)), {}, 0}; });
}
constexpr CountedList kList{"property", 7, nth_property};
constexpr std::int64_t kPageSize = 100;

class CountedListTest : public ::testing::Test {
 protected:
  void add(const std::vector<std::string>& names) {
    const auto outcome = database->write([&](db::WriteSession& session) -> Result<void> {
      for (const std::string& name : names) {
        TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, '', 0)",
                            {name}));
        TRY(add_entry(session, kList, {name, {}, 0}));
      }
      return {};
    });
    ASSERT_TRUE(outcome) << describe(outcome.error());
    expected.insert(names.begin(), names.end());
  }
  void remove(const std::vector<std::string>& names) {
    const auto outcome = database->write([&](db::WriteSession& session) -> Result<void> {
      for (const std::string& name : names) {
        TRY(session.execute("DELETE FROM property WHERE name = ?", {name}));
        TRY(remove_entry(session, kList, {name, {}, 0}));
      }
      return {};
    });
    ASSERT_TRUE(outcome) << describe(outcome.error());
    for (const std::string& name : names) {
      expected.erase(name);
    }
  }
  PageStart page(std::int64_t number, Direction direction) {
    ListQuery query;
    query.page = number;
    query.page_size = kPageSize;
    return database
        ->read(
            [&](db::ReadSession& session) { return find_page(session, kList, query, direction); })
        .value();
  }
  std::int64_t buckets() {
    return database
        ->read([](db::ReadSession& session) {
          return session.first("SELECT COUNT(*) FROM list_bucket", {},
                               [](const db::Row& row) { return row.integer(0); });
        })
        .value()
        .value();
  }
  /// Every page in both directions begins where walking all entries would find it.
  void check_all_pages() {
    const std::vector<std::string> names(expected.begin(), expected.end());
    const auto total = static_cast<std::int64_t>(names.size());
    for (std::int64_t offset = kPageSize; offset < total; offset += kPageSize) {
      const std::int64_t number = offset / kPageSize + 1;
      const PageStart up = page(number, Direction::kUp);
      ASSERT_EQ(up.total, total);
      ASSERT_TRUE(up.from);
      ASSERT_EQ(up.from->name, names[static_cast<std::size_t>(offset)]);
      const PageStart down = page(number, Direction::kDown);
      ASSERT_TRUE(down.from);
      ASSERT_EQ(down.from->name, names[static_cast<std::size_t>(total - 1 - offset)]);
    }
    EXPECT_FALSE(page(total / kPageSize + 2, Direction::kUp).from);
    EXPECT_FALSE(page(total / kPageSize + 2, Direction::kDown).from);
  }

  db::testing::ScratchDatabase database = db::testing::open_scratch_database();
  std::set<std::string> expected;
};

std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> names;
  for (int i = from; i < to; ++i) {
    names.push_back("n" + std::to_string(1'000'000 + i));
  }
  return names;
}

TEST_F(CountedListTest, AnEmptyListHasNoPage) {
  EXPECT_EQ(page(1, Direction::kUp).total, 0);
  EXPECT_FALSE(page(1, Direction::kUp).from);
  EXPECT_FALSE(page(3, Direction::kDown).from);
}

TEST_F(CountedListTest, TheFirstPageBeginsBeforeEveryEntry) {
  add({"b", "a"});
  EXPECT_LE(page(1, Direction::kUp).from->name, "a");
  EXPECT_GE(page(1, Direction::kDown).from->name, "b");
  EXPECT_EQ(page(1, Direction::kDown).total, 2);
}

TEST_F(CountedListTest, GrowsAtItsEnd) {
  add(numbered(0, 7'000));
  check_all_pages();
  EXPECT_GE(buckets(), 4);
  EXPECT_LE(buckets(), 8);
}

TEST_F(CountedListTest, GrowsAndShrinksAnywhere) {
  std::vector<std::string> names = numbered(0, 9'000);
  std::mt19937 random(5);
  std::shuffle(names.begin(), names.end(), random);
  add({names.begin(), names.begin() + 5'000});
  check_all_pages();
  remove({names.begin(), names.begin() + 2'500});
  add({names.begin() + 5'000, names.end()});
  check_all_pages();
  remove({names.begin() + 2'600, names.end()});
  check_all_pages();
  EXPECT_LE(buckets(), 3) << "small neighbours join";
}

TEST_F(CountedListTest, WhatWasNeverListedCannotBeTakenOff) {
  const auto outcome = database->write(
      [](db::WriteSession& session) { return remove_entry(session, kList, {"x", {}, 0}); });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kInternal);
}

TEST_F(CountedListTest, ListsAreApart) {
  add(numbered(0, 10));
  const CountedList other{"property", 8, nth_property};
  const auto none =
      database->read([&](db::ReadSession& session) { return count_entries(session, other); });
  EXPECT_EQ(none.value(), 0);
  ASSERT_TRUE(
      database->write([&](db::WriteSession& session) { return drop_list(session, other); }));
  EXPECT_EQ(page(1, Direction::kUp).total, 10);
  ASSERT_TRUE(
      database->write([&](db::WriteSession& session) { return drop_list(session, kList); }));
  EXPECT_EQ(page(1, Direction::kUp).total, 0);
}

TEST_F(CountedListTest, FindingAPageReadsNoRowsBesideItsWay) {
  if (!database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  add(numbered(0, 3'000));
  for (const Direction direction : {Direction::kUp, Direction::kDown}) {
    const std::string plans =
        db::testing::plans_of(database, [&](db::ReadSession& session) -> Result<void> {
          TRY(find_page(session, kList, {.filters = {}, .sort = {}, .page = 20}, direction));
          return {};
        });
    EXPECT_EQ(db::testing::unbounded_steps(plans), "") << plans;
  }
}

TEST(OwnOrder, OnlyWithoutFiltersAndByTheListsKey) {
  ListQuery query;
  EXPECT_EQ(own_order(query, "name", Direction::kUp), Direction::kUp);
  query.sort = {{"name", true}};
  EXPECT_EQ(own_order(query, "name", Direction::kUp), Direction::kDown);
  query.sort = {{"name", false}, {"id", false}};
  EXPECT_EQ(own_order(query, "name", Direction::kUp), std::nullopt);
  query.sort = {{"id", false}};
  EXPECT_EQ(own_order(query, "name", Direction::kUp), std::nullopt);
  query.sort.clear();
  query.filters.push_back({.kind = Filter::Kind::kExact, .key = "name", .values = {"x"}});
  EXPECT_EQ(own_order(query, "name", Direction::kUp), std::nullopt);
}

}  // namespace
}  // namespace roadstead::auth
