#include "api/operation/listing.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"

namespace roadstead::api {
namespace {

constexpr std::size_t kConditionsMax = 32;
constexpr std::size_t kSortKeysMax = 8;

Error bad_value(std::string_view value) {
  return {Code::kInvalid, Subject::kNone, "invalid query string value: " + std::string(value), {}};
}

/// A value may stand in double quotes.
std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

/// Blank-separated values; blanks inside double quotes do not separate.
std::optional<std::vector<std::string>> parse_values(std::string_view text) {
  std::vector<std::string> values;
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '"') {
      quoted = !quoted;
    }
    if (i == text.size() || (text[i] == ' ' && !quoted)) {
      if (i > start) {
        values.push_back(unquoted(text.substr(start, i - start)));
      }
      start = i + 1;
    }
  }
  return quoted || values.empty() ? std::nullopt : std::optional(std::move(values));
}

std::string_view inner(std::string_view text) {
  return text.substr(1, text.size() - 2);
}

Result<auth::Filter> parse_value(std::string_view key, std::string_view value) {
  using Kind = auth::Filter::Kind;
  auth::Filter filter{.kind = Kind::kExact, .key = std::string(key), .values = {}};
  const auto closed_by = [&](char close) { return value.size() >= 2 && value.back() == close; };
  std::optional<std::vector<std::string>> values;
  switch (value.front()) {
    case '~':
      filter.kind = Kind::kFuzzy;
      values = std::vector{unquoted(value.substr(1))};
      break;
    case '[': {
      filter.kind = Kind::kRange;
      const std::size_t between = value.find('~');
      if (closed_by(']') && between != std::string_view::npos) {
        values = std::vector{unquoted(trim(value.substr(1, between - 1))),
                             unquoted(trim(value.substr(between + 1, value.size() - between - 2)))};
      }
      break;
    }
    case '{':
      filter.kind = Kind::kAnyOf;
      values = closed_by('}') ? parse_values(inner(value)) : std::nullopt;
      break;
    case '(':
      filter.kind = Kind::kAllOf;
      values = closed_by(')') ? parse_values(inner(value)) : std::nullopt;
      break;
    default:
      values = std::vector{unquoted(value)};
      break;
  }
  if (!values) {
    return bad_value(value);
  }
  filter.values = std::move(*values);
  return filter;
}

std::optional<std::int64_t> integer_of(const http::Query& query, std::string_view name) {
  const auto text = query.get(name);
  if (!text) {
    return std::nullopt;
  }
  const bool negative = text->starts_with('-');
  const auto number = parse_int64(negative ? text->substr(1) : *text);
  return number && negative ? std::optional(-*number) : number;
}

/// Whether a decoded query may stand in a header between '<' and '>'.
bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '<' || c == '>' || c == '"';
  });
}

/// "<path>?…" with this page. Parameters are sorted and, where that is possible, not escaped: so
/// clients of Harbor see what they know.
std::string page_target(const http::Request& request, const http::Query& query, std::int64_t page,
                        std::int64_t page_size) {
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& item : query.items()) {
    if (item.first != "page" && item.first != "page_size") {
      items.push_back(item);
    }
  }
  items.emplace_back("page", std::to_string(page));
  items.emplace_back("page_size", std::to_string(page_size));
  std::sort(items.begin(), items.end());
  std::string plain;
  std::string escaped;
  for (const auto& [name, value] : items) {
    const char* separator = plain.empty() ? "" : "&";
    plain.append(separator).append(name).append("=").append(value);
    escaped.append(separator).append(http::percent_encode(name));
    escaped.append("=").append(http::percent_encode(value));
  }
  std::string target(request.path);
  return target.append("?").append(is_printable(plain) ? plain : escaped);
}

}  // namespace

Result<std::vector<auth::Filter>> parse_conditions(std::string_view q) {
  std::vector<auth::Filter> filters;
  if (q.empty()) {
    return filters;
  }
  // Some clients escape twice.
  const std::string text = http::percent_decode(q).value_or(std::string(q));
  for (const std::string_view condition : split(text, ',')) {
    const std::size_t equals = condition.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == condition.size()) {
      return Error{Code::kInvalid,
                   Subject::kNone,
                   "the query string must contain \"=\" and the key/value cannot be empty",
                   {}};
    }
    auth::Filter filter =
        TRY(parse_value(condition.substr(0, equals), condition.substr(equals + 1)));
    filters.push_back(std::move(filter));
    if (filters.size() > kConditionsMax) {
      return Error{Code::kInvalid, Subject::kNone, "too many conditions in the query", {}};
    }
  }
  return filters;
}

std::vector<auth::SortKey> parse_sort(std::string_view sort) {
  std::vector<auth::SortKey> keys;
  for (std::string_view piece : split(sort, ',')) {
    piece = trim(piece);
    const bool descending = piece.starts_with('-');
    if (descending) {
      piece.remove_prefix(1);
    }
    if (!piece.empty() && keys.size() < kSortKeysMax) {
      keys.push_back({.key = std::string(piece), .descending = descending});
    }
  }
  return keys;
}

Result<auth::ListQuery> parse_list_query(const http::Query& query) {
  auth::ListQuery list;
  list.filters = TRY(parse_conditions(query.get("q").value_or(std::string_view{})));
  list.sort = parse_sort(query.get("sort").value_or(std::string_view{}));
  list.page = integer_of(query, "page").value_or(list.page);
  list.page_size = integer_of(query, "page_size").value_or(list.page_size);
  return list;
}

void add_page_headers(http::Response& response, const http::Request& request,
                      const http::Query& query, const auth::ListQuery& asked, std::int64_t total) {
  response.add_header("X-Total-Count", std::to_string(total));
  if (asked.page_size == 0) {
    return;
  }
  // Far pages must not overflow; they have neither a page before nor one after.
  constexpr std::int64_t kPageMax = std::int64_t{1} << 40U;
  const std::int64_t page = std::clamp(asked.page, -kPageMax, kPageMax);
  const std::int64_t size =
      std::clamp(asked.page_size, -auth::ListQuery::kPageSizeMax, auth::ListQuery::kPageSizeMax);
  std::string link;
  const auto add = [&](std::int64_t to, std::string_view relation) {
    link.append(link.empty() ? "<" : " , <");
    link.append(page_target(request, query, to, asked.page_size));
    link.append(">; rel=\"").append(relation).append("\"");
  };
  if (page > 1 && (page - 1) * size < total) {
    add(page - 1, "prev");
  }
  if (page * size < total) {
    add(page + 1, "next");
  }
  if (!link.empty()) {
    response.add_header("Link", link);
  }
}

}  // namespace roadstead::api
