#include "auth/sql_filter.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace roadstead::auth {
namespace {

// Lists of values are padded to one of these lengths by repeating the last value.
constexpr std::array<std::size_t, 3> kListLengths{1, 8, 64};

Error bad_value(const ListColumn& column, std::string_view value) {
  return {Code::kInvalid, Subject::kNone,
          "invalid query string value: " + std::string(value) + " for " + std::string(column.key),
          std::string(column.key)};
}

std::optional<std::int64_t> parse_boolean(std::string_view value) {
  if (value == "true" || value == "1") {
    return 1;
  }
  if (value == "false" || value == "0") {
    return 0;
  }
  return std::nullopt;
}

/// Days since 1970 of a civil date (proleptic Gregorian), month 1 … 12.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return std::chrono::sys_days(date).time_since_epoch().count();
}

std::optional<std::int64_t> number_at(std::string_view text, std::size_t position,
                                      std::size_t length) {
  return text.size() < position + length ? std::nullopt
                                         : parse_int64(text.substr(position, length));
}

/// "2026-11-23" or "2026-11-23T07:31:50" ('T' may be a blank), UTC.
std::optional<Time> parse_time(std::string_view text) {
  const auto year = number_at(text, 0, 4);
  const auto month = number_at(text, 5, 2);
  const auto day = number_at(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-' || *month < 1 || *month > 12 ||
      *day < 1 || *day > 31) {
    return std::nullopt;
  }
  std::int64_t seconds = days_from_civil(*year, *month, *day) * 86'400;
  if (text.size() != 10) {
    const auto hour = number_at(text, 11, 2);
    const auto minute = number_at(text, 14, 2);
    const auto second = number_at(text, 17, 2);
    if (!hour || !minute || !second || text.size() != 19 || text[13] != ':' || text[16] != ':' ||
        (text[10] != 'T' && text[10] != ' ') || *hour > 23 || *minute > 59 || *second > 60) {
      return std::nullopt;
    }
    seconds += *hour * 3'600 + *minute * 60 + *second;
  }
  return from_micros(seconds * 1'000'000);
}

/// `text` as a LIKE pattern that matches it anywhere; '!' escapes.
std::string like_pattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : to_lower(text)) {
    if (c == '%' || c == '_' || c == '!') {
      pattern += '!';
    }
    pattern += c;
  }
  return pattern += '%';
}

}  // namespace

std::string_view SqlFilter::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

void SqlFilter::require(std::string_view sql) {
  where_.append(where_.empty() ? " WHERE " : " AND ").append(sql);
}

void SqlFilter::require(std::string_view sql, db::Param param) {
  require(sql);
  params_.push_back(param);
}

Result<void> SqlFilter::add(const ListQuery& query) {
  for (const ListColumn& column : columns_) {
    if (const Filter* filter = query.find(column.key)) {
      TRY(add_one(column, *filter));
    }
  }
  return {};
}

Result<db::Param> SqlFilter::convert(const ListColumn& column, std::string_view value) {
  switch (column.type) {
    case ListColumn::Type::kText:
      return db::Param(keep(std::string(value)));
    case ListColumn::Type::kInteger:
      if (const auto number = parse_int64(value)) {
        return db::Param(*number);
      }
      return bad_value(column, value);
    case ListColumn::Type::kBoolean:
      if (const auto truth = parse_boolean(value)) {
        return db::Param(*truth);
      }
      return bad_value(column, value);
    case ListColumn::Type::kTime:
      if (const auto time = parse_time(value)) {
        return db::Param(*time);
      }
      return bad_value(column, value);
  }
  return bad_value(column, value);
}

void SqlFilter::require_like(std::string_view sql, std::string_view text) {
  require(sql, db::Param(keep(like_pattern(text))));
}

Result<void> SqlFilter::add_fuzzy(const ListColumn& column, const Filter& filter) {
  if (column.type != ListColumn::Type::kText) {
    return bad_value(column, "~" + filter.values.front());
  }
  require_like("LOWER(" + std::string(column.sql) + ") LIKE ? ESCAPE '!'", filter.values.front());
  return {};
}

Result<void> SqlFilter::add_range(const ListColumn& column, const Filter& filter) {
  if (!filter.values[0].empty()) {
    const db::Param from = TRY(convert(column, filter.values[0]));
    require(std::string(column.sql) + " >= ?", from);
  }
  if (!filter.values[1].empty()) {
    const db::Param to = TRY(convert(column, filter.values[1]));
    require(std::string(column.sql) + " <= ?", to);
  }
  return {};
}

Result<void> SqlFilter::add_any_of(const ListColumn& column, const Filter& filter) {
  const auto length = std::find_if(kListLengths.begin(), kListLengths.end(),
                                   [&](std::size_t n) { return n >= filter.values.size(); });
  if (length == kListLengths.end()) {
    return Error{Code::kInvalid, Subject::kNone, "too many values in a list of the query", {}};
  }
  std::string sql(column.sql);
  sql += " IN (?";
  for (std::size_t i = 1; i < *length; ++i) {
    sql += ",?";
  }
  require(sql + ")");
  for (std::size_t i = 0; i < *length; ++i) {
    const std::size_t at = std::min(i, filter.values.size() - 1);
    const db::Param value = TRY(convert(column, filter.values[at]));
    params_.push_back(value);
  }
  return {};
}

Result<void> SqlFilter::add_one(const ListColumn& column, const Filter& filter) {
  switch (filter.kind) {
    case Filter::Kind::kExact: {
      const db::Param value = TRY(convert(column, filter.values.front()));
      require(std::string(column.sql) + " = ?", value);
      return {};
    }
    case Filter::Kind::kFuzzy:
      return add_fuzzy(column, filter);
    case Filter::Kind::kRange:
      return add_range(column, filter);
    case Filter::Kind::kAnyOf:
      return add_any_of(column, filter);
    case Filter::Kind::kAllOf:
      if (filter.values.size() > 1) {
        require("1 = 0");
        return {};
      }
      return add_any_of(column, filter);
  }
  return {};
}

std::string SqlFilter::order_by(const ListQuery& query, std::string_view otherwise,
                                std::string_view tie) const {
  std::string sql;
  for (const SortKey& key : query.sort) {
    const auto column = std::find_if(columns_.begin(), columns_.end(),
                                     [&](const ListColumn& c) { return c.key == key.key; });
    // One of each is enough, and bounds the statement.
    if (column != columns_.end() && sql.find(column->sql) == std::string::npos) {
      sql += sql.empty() ? " ORDER BY " : ", ";
      sql.append(column->sql).append(key.descending ? " DESC" : "");
    }
  }
  if (sql.empty()) {
    sql.append(" ORDER BY ").append(otherwise);
  }
  return sql.append(", ").append(tie);
}

std::vector<db::Param> SqlFilter::page_params(const ListQuery& query) const {
  std::vector<db::Param> params = params_;
  params.emplace_back(query.limit());
  params.emplace_back(query.offset());
  return params;
}

}  // namespace roadstead::auth
