#include "db/internal/portable_sql.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace roadstead::db::internal {
namespace {

struct Ending {
  std::string_view text;
  PortableSql::Lock lock;
};
constexpr std::array<Ending, 4> kEndings = {{
    {" FOR UPDATE", PortableSql::Lock::kUpdate},
    {" FOR UPDATE SKIP LOCKED", PortableSql::Lock::kUpdateFree},
    {" FOR NO KEY UPDATE", PortableSql::Lock::kNoKeyUpdate},
    {" FOR KEY SHARE", PortableSql::Lock::kKeyShare},
}};

/// The only one of our names that is a word of MySQL's language.
constexpr std::string_view kMysqlWord = "blob";
constexpr std::string_view kMysqlWordQuoted = "\"blob\"";

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

bool in_name(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c) || c == '_' || c == '.';
}

std::string_view mysql_lock(PortableSql::Lock lock) {
  switch (lock) {
    case PortableSql::Lock::kNone:
      return "";
    case PortableSql::Lock::kUpdate:
    case PortableSql::Lock::kNoKeyUpdate:
      return " FOR UPDATE";
    case PortableSql::Lock::kUpdateFree:
      return " FOR UPDATE SKIP LOCKED";
    case PortableSql::Lock::kKeyShare:
      return " LOCK IN SHARE MODE";
  }
  return "";
}

/// Reads SQL piece by piece; each take_… moves on when it finds what it looks for.
class Scanner {
 public:
  explicit Scanner(std::string_view sql) : sql_(sql) {}

  [[nodiscard]] bool at_end() const { return position_ == sql_.size(); }
  [[nodiscard]] char next() const { return sql_[position_]; }
  char take() { return sql_[position_++]; }
  bool take(std::string_view text) {
    if (!sql_.substr(position_).starts_with(text)) {
      return false;
    }
    position_ += text.size();
    return true;
  }
  void skip_blanks() {
    while (!at_end() && next() == ' ') {
      ++position_;
    }
  }
  std::string_view take_name() {
    const std::size_t begin = position_;
    while (!at_end() && in_name(next())) {
      ++position_;
    }
    return sql_.substr(begin, position_ - begin);
  }
  /// With its quotes.
  std::string_view take_quoted() {
    const std::size_t end = sql_.find(next(), position_ + 1);
    const std::size_t begin = std::exchange(position_, std::min(end, sql_.size() - 1) + 1);
    return sql_.substr(begin, position_ - begin);
  }

 private:
  std::string_view sql_;
  std::size_t position_ = 0;
};

/// (a, b) > (?, ?)
struct RowComparison {
  std::vector<std::string_view> columns;
  std::string_view operation;
};

/// Moves on when such a comparison begins here.
std::optional<RowComparison> take_row_comparison(Scanner& at) {
  Scanner scanner = at;
  RowComparison found;
  if (!scanner.take("(")) {
    return std::nullopt;
  }
  do {
    scanner.skip_blanks();
    found.columns.push_back(scanner.take_name());
  } while (!found.columns.back().empty() && scanner.take(","));
  if (found.columns.size() < 2 || found.columns.back().empty() || !scanner.take(")")) {
    return std::nullopt;
  }
  scanner.skip_blanks();
  for (const std::string_view operation : {"<=", ">=", "<", ">"}) {
    if (found.operation.empty() && scanner.take(operation)) {
      found.operation = operation;
    }
  }
  scanner.skip_blanks();
  if (found.operation.empty() || !scanner.take("(")) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < found.columns.size(); ++i) {
    scanner.skip_blanks();
    if (!scanner.take("?") || !scanner.take(i + 1 < found.columns.size() ? "," : ")")) {
      return std::nullopt;
    }
  }
  at = scanner;
  return found;
}

void render_row_comparison(const RowComparison& row, MysqlSql& into) {
  const std::size_t columns = row.columns.size();
  const std::string_view strict = row.operation.substr(0, 1);
  const auto compare = [&](std::size_t column, std::string_view operation) {
    into.text += fmt::format("{} {} ?", row.columns[column], operation);
    into.order.push_back(static_cast<std::uint16_t>(into.parameters + column));
  };
  into.text += '(';
  for (std::size_t last = columns; last-- > 0;) {
    into.text += last == columns - 1 ? "(" : " OR (";
    for (std::size_t equal = 0; equal < last; ++equal) {
      compare(equal, "=");
      into.text += " AND ";
    }
    compare(last, last == columns - 1 ? row.operation : strict);
    into.text += ')';
  }
  into.text += ')';
  into.parameters += columns;
}

}  // namespace

MysqlSql render_mysql(std::string_view sql) {
  const PortableSql portable = take_apart(sql);
  MysqlSql rendered;
  rendered.text.reserve(sql.size() + 16);
  Scanner scanner(portable.body);
  while (!scanner.at_end()) {
    const char c = scanner.next();
    if (c == '\'' || c == '"') {
      rendered.text += scanner.take_quoted();
    } else if (scanner.take("/* by ")) {
      rendered.text.append("FORCE INDEX (").append(scanner.take_name()).append(")");
      scanner.take(" */");
    } else if (const auto row = take_row_comparison(scanner)) {
      render_row_comparison(*row, rendered);
    } else if (in_name(c)) {
      const std::string_view name = scanner.take_name();
      rendered.text += name == kMysqlWord ? kMysqlWordQuoted : name;
    } else {
      if (c == '?') {
        rendered.order.push_back(static_cast<std::uint16_t>(rendered.parameters++));
      }
      rendered.text += scanner.take();
    }
  }
  rendered.text += mysql_lock(portable.lock);
  return rendered;
}

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
