#include "db/internal/portable_sql.h"

#include <array>

#include <fmt/format.h>

namespace roadstead::db::internal {
namespace {

struct Ending {
  std::string_view text;
  PortableSql::Lock lock;
};
constexpr std::array<Ending, 3> kEndings = {{
    {" FOR UPDATE", PortableSql::Lock::kUpdate},
    {" FOR NO KEY UPDATE", PortableSql::Lock::kNoKeyUpdate},
    {" FOR KEY SHARE", PortableSql::Lock::kKeyShare},
}};

/// Calls `other` with each stretch between placeholders and `placeholder` for each of these.
template <typename Other, typename Placeholder>
void walk(std::string_view sql, Other other, Placeholder placeholder) {
  char quote = '\0';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (quote != '\0') {
      quote = c == quote ? '\0' : quote;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '?') {
      other(sql.substr(begin, i - begin));
      placeholder();
      begin = i + 1;
    }
  }
  other(sql.substr(begin));
}

}  // namespace

PortableSql take_apart(std::string_view sql) {
  for (const Ending& ending : kEndings) {
    if (sql.ends_with(ending.text)) {
      return {sql.substr(0, sql.size() - ending.text.size()), ending.lock};
    }
  }
  return {sql, PortableSql::Lock::kNone};
}

std::string number_placeholders(std::string_view sql) {
  std::string numbered;
  numbered.reserve(sql.size() + 16);
  int number = 0;
  walk(
      sql, [&](std::string_view text) { numbered += text; },
      [&] { numbered += fmt::format("${}", ++number); });
  return numbered;
}

int count_placeholders(std::string_view sql) {
  int count = 0;
  walk(sql, [](std::string_view) {}, [&] { ++count; });
  return count;
}

}  // namespace roadstead::db::internal
