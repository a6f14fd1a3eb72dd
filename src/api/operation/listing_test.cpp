#include "api/operation/listing.h"

#include <gtest/gtest.h>

namespace roadstead::api {
namespace {

using Kind = auth::Filter::Kind;

auth::Filter one(std::string_view q) {
  const auto filters = parse_conditions(q);
  EXPECT_TRUE(filters) << q;
  return filters ? filters->front() : auth::Filter{};
}

TEST(Conditions, HaveFiveForms) {
  EXPECT_EQ(one("name=lib").kind, Kind::kExact);
  EXPECT_EQ(one("name=lib").values, std::vector<std::string>{"lib"});
  EXPECT_EQ(one("name=~lib").kind, Kind::kFuzzy);
  EXPECT_EQ(one("size=[1~9]").kind, Kind::kRange);
  EXPECT_EQ(one("size=[1~9]").values, (std::vector<std::string>{"1", "9"}));
  EXPECT_EQ(one("size=[~9]").values, (std::vector<std::string>{"", "9"}));
  EXPECT_EQ(one("k={a b}").kind, Kind::kAnyOf);
  EXPECT_EQ(one("k={a \"b c\"}").values, (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(one("k=(a b)").kind, Kind::kAllOf);
  EXPECT_EQ(one("tags=v1=v2").values, std::vector<std::string>{"v1=v2"});
  EXPECT_EQ(one("tags%3Dnil").values, std::vector<std::string>{"nil"}) << "escaped twice";
}

TEST(Conditions, AreJoinedByCommas) {
  const auto filters = parse_conditions("a=1,b=~2").value();
  ASSERT_EQ(filters.size(), 2U);
  EXPECT_EQ(filters[1].key, "b");
  EXPECT_TRUE(parse_conditions("")->empty());
}

TEST(Conditions, OtherFormsAreRefused) {
  for (const std::string_view bad : {"xx", "=1", "a=", "a=1,b", "%%%", ","}) {
    const auto outcome = parse_conditions(bad);
    ASSERT_FALSE(outcome) << bad;
    EXPECT_EQ(outcome.error().message,
              "the query string must contain \"=\" and the key/value cannot be empty");
  }
  EXPECT_EQ(parse_conditions("id={").error().message, "invalid query string value: {");
  for (const std::string_view bad : {"k={a", "k=(a", "k=[1]", "k=[1~2", "k={}", "k={\"a}"}) {
    EXPECT_EQ(parse_conditions(bad).error().code, Code::kInvalid) << bad;
  }
  std::string many = "a=1";
  for (int i = 0; i < 40; ++i) {
    many += ",a=1";
  }
  EXPECT_FALSE(parse_conditions(many));
}

TEST(Sort, IsAListOfKeys) {
  const auto keys = parse_sort("name,-creation_time, ,-");
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[1].key, "creation_time");
  EXPECT_TRUE(keys[1].descending);
}

struct Headers {
  std::string link;
  std::string total;
};

Headers page_headers(const std::string& query_text, std::int64_t total) {
  http::Request request;
  request.path = "/api/v2.0/users";
  request.query = query_text;
  const auto query = http::Query::parse(query_text).value();
  const auto asked = parse_list_query(query).value();
  http::Response response(200);
  add_page_headers(response, request, query, asked, total);
  return {.link = std::string(response.header("Link").value_or("")),
          .total = std::string(response.header("X-Total-Count").value_or(""))};
}

TEST(PageHeaders, NameThePagesAround) {
  EXPECT_EQ(page_headers("", 12).link, "</api/v2.0/users?page=2&page_size=10>; rel=\"next\"");
  EXPECT_EQ(page_headers("", 12).total, "12");
  EXPECT_EQ(page_headers("page=2&page_size=2", 12).link,
            "</api/v2.0/users?page=1&page_size=2>; rel=\"prev\" , "
            "</api/v2.0/users?page=3&page_size=2>; rel=\"next\"");
  EXPECT_EQ(page_headers("page=2&page_size=6", 12).link,
            "</api/v2.0/users?page=1&page_size=6>; rel=\"prev\"");
  EXPECT_EQ(page_headers("page=99", 12).link, "");
  EXPECT_EQ(page_headers("page_size=0", 12).link, "");
  EXPECT_EQ(page_headers("page=0", 4).link, "</api/v2.0/users?page=1&page_size=10>; rel=\"next\"");
  EXPECT_EQ(page_headers("page_size=-1", 12).link,
            "</api/v2.0/users?page=2&page_size=-1>; rel=\"next\"");
  EXPECT_EQ(page_headers("page=9223372036854775807", 12).link, "");
}

TEST(PageHeaders, KeepTheOtherParametersSortedAndReadable) {
  EXPECT_EQ(page_headers("username=e&page_size=2", 4).link,
            "</api/v2.0/users?page=2&page_size=2&username=e>; rel=\"next\"");
  EXPECT_EQ(page_headers("q=email%3D~example", 12).link,
            "</api/v2.0/users?page=2&page_size=10&q=email=~example>; rel=\"next\"");
}

TEST(PageHeaders, NeverBreakTheHeader) {
  const std::string link = page_headers("username=a%0D%0AX-Evil:%201%3E", 12).link;
  EXPECT_EQ(link.find('\r'), std::string::npos);
  EXPECT_NE(link.find("username=a%0D%0AX-Evil%3A%201%3E"), std::string::npos) << link;
}

}  // namespace
}  // namespace roadstead::api
