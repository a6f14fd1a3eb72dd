#include "http/internal/conditional.h"

#include <algorithm>

#include "base/text.h"

namespace roadstead::http {
namespace {

using Kind = Selection::Kind;

std::string_view without_weakness(std::string_view etag) {
  return etag.substr(0, 2) == "W/" ? etag.substr(2) : etag;
}

bool is_not_modified(const Request& request, std::string_view etag) {
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const HeaderField& field) {
    return field.name.size() == 13 && equals_ignoring_case(field.name, "if-none-match") &&
           lists_etag(field.value, etag);
  });
}

/// If-Range needs a strong match; we have no modification dates, so a date never matches.
bool range_still_valid(const Request& request, std::string_view etag) {
  const auto condition = request.header("if-range");
  return !condition || (!etag.empty() && etag.front() == '"' && *condition == etag);
}

Selection select_suffix(std::string_view digits, std::uint64_t size) {
  const auto count = parse_uint64(digits);
  if (!count) {
    return {};
  }
  const std::uint64_t length = std::min(*count, size);
  return length == 0 ? Selection{Kind::kUnsatisfiable}
                     : Selection{Kind::kPartial, size - length, length};
}

}  // namespace

bool lists_etag(std::string_view list, std::string_view etag) {
  list = trim(list);
  if (list == "*") {
    return true;
  }
  const std::string_view wanted = without_weakness(etag);
  while (!list.empty()) {
    if (list.front() == ',' || list.front() == ' ' || list.front() == '\t') {
      list.remove_prefix(1);
      continue;
    }
    list = without_weakness(list);
    if (list.empty() || list.front() != '"') {
      return false;
    }
    const std::size_t end = list.find('"', 1);  // A comma may stand inside the quotes.
    if (end == std::string_view::npos) {
      return false;
    }
    if (list.substr(0, end + 1) == wanted) {
      return true;
    }
    list.remove_prefix(end + 1);
  }
  return false;
}

Selection select_range(std::string_view value, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignoring_case(value.substr(0, kUnit.size()), kUnit)) {
    return {};
  }
  const std::string_view range = trim(value.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) {
    return {};
  }
  if (dash == 0) {
    return select_suffix(range.substr(1), size);
  }
  const auto first = parse_uint64(range.substr(0, dash));
  const std::string_view end = range.substr(dash + 1);
  const auto last = end.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : parse_uint64(end);
  if (!first || !last || *last < *first) {
    return {};
  }
  if (*first >= size) {
    return {Kind::kUnsatisfiable};
  }
  return {Kind::kPartial, *first, std::min(*last, size - 1) - *first + 1};
}

Selection select(const Request& request, const Response& response) {
  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  if (response.status() != 200 || !reads) {
    return {};
  }
  if (!response.etag().empty() && is_not_modified(request, response.etag())) {
    return {Kind::kNotModified};
  }
  if (!response.ranges_allowed() || request.method != Method::kGet) {
    return {};
  }
  const auto range = request.header("range");
  if (!range || !range_still_valid(request, response.etag())) {
    return {};
  }
  return select_range(*range, response.content_length());
}

}  // namespace roadstead::http
