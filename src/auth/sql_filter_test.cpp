#include "auth/sql_filter.h"

#include <array>

#include <gtest/gtest.h>

namespace roadstead::auth {
namespace {

using Type = ListColumn::Type;
constexpr std::array kColumns{ListColumn{"name", "t.name"},
                              ListColumn{"id", "t.id", Type::kInteger},
                              ListColumn{"public", "t.public", Type::kBoolean},
                              ListColumn{"creation_time", "t.created", Type::kTime}};

ListQuery filtered(Filter filter) {
  ListQuery query;
  query.filters = {std::move(filter)};
  return query;
}

TEST(SqlFilter, IgnoresUnknownKeys) {
  SqlFilter filter(kColumns);
  ASSERT_TRUE(filter.add(filtered({Filter::Kind::kExact, "bogus", {"1"}})));
  EXPECT_EQ(filter.where(), "");
}

TEST(SqlFilter, EveryValueIsAParameter) {
  SqlFilter filter(kColumns);
  ASSERT_TRUE(filter.add(filtered({Filter::Kind::kExact, "name", {"' OR 1=1 --"}})));
  EXPECT_EQ(filter.where(), " WHERE t.name = ?");
  ASSERT_EQ(filter.params().size(), 1U);
  EXPECT_EQ(std::get<std::string_view>(filter.params()[0].get()), "' OR 1=1 --");
}

TEST(SqlFilter, EscapesPatternCharacters) {
  SqlFilter filter(kColumns);
  ASSERT_TRUE(filter.add(filtered({Filter::Kind::kFuzzy, "name", {"A_b%!"}})));
  EXPECT_EQ(std::get<std::string_view>(filter.params()[0].get()), "%a!_b!%!!%");
}

TEST(SqlFilter, ListsHaveFewLengths) {
  SqlFilter two(kColumns);
  ASSERT_TRUE(two.add(filtered({Filter::Kind::kAnyOf, "id", {"1", "2"}})));
  SqlFilter five(kColumns);
  ASSERT_TRUE(five.add(filtered({Filter::Kind::kAnyOf, "id", {"1", "2", "3", "4", "5"}})));
  EXPECT_EQ(two.where(), five.where());
  EXPECT_EQ(two.params().size(), 8U);
  SqlFilter many(kColumns);
  EXPECT_EQ(many.add(filtered({Filter::Kind::kAnyOf, "id", std::vector<std::string>(65, "1")}))
                .error()
                .code,
            Code::kInvalid);
}

TEST(SqlFilter, RefusesValuesOfAnotherType) {
  for (const Filter& bad :
       {Filter{Filter::Kind::kExact, "id", {"abc"}}, Filter{Filter::Kind::kExact, "public", {"x"}},
        Filter{Filter::Kind::kFuzzy, "id", {"1"}}, Filter{Filter::Kind::kRange, "id", {"1", "x"}},
        Filter{Filter::Kind::kExact, "creation_time", {"2026-13-01"}}}) {
    SqlFilter filter(kColumns);
    EXPECT_EQ(filter.add(filtered(bad)).error().code, Code::kInvalid) << bad.key;
  }
}

TEST(SqlFilter, UnderstandsTimes) {
  SqlFilter filter(kColumns);
  ASSERT_TRUE(filter.add(
      filtered({Filter::Kind::kRange, "creation_time", {"1970-01-02", "1970-01-02T00:00:01"}})));
  EXPECT_EQ(filter.where(), " WHERE t.created >= ? AND t.created <= ?");
  EXPECT_EQ(std::get<std::int64_t>(filter.params()[0].get()), 86'400'000'000);
  EXPECT_EQ(std::get<std::int64_t>(filter.params()[1].get()), 86'401'000'000);
}

TEST(SqlFilter, SortsByKnownKeysOnly) {
  const SqlFilter filter(kColumns);
  ListQuery query;
  EXPECT_EQ(filter.order_by(query, "t.name", "t.id"), " ORDER BY t.name, t.id");
  query.sort = {{"bogus", false}, {"public", true}, {"public", false}, {"name; DROP", false}};
  EXPECT_EQ(filter.order_by(query, "t.name", "t.id"), " ORDER BY t.public DESC, t.id");
}

TEST(ListQuery, PagesAreBounded) {
  ListQuery query;
  EXPECT_EQ(query.limit(), 10);
  query.page_size = 0;
  EXPECT_EQ(query.limit(), 100);
  query.page_size = 100'000;
  EXPECT_EQ(query.limit(), 100);
  query.page = -3;
  EXPECT_EQ(query.offset(), 0);
  query.page = std::numeric_limits<std::int64_t>::max();
  EXPECT_GT(query.offset(), 0);
}

}  // namespace
}  // namespace roadstead::auth
