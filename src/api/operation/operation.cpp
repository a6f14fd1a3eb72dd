#include "api/operation/operation.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace roadstead::api {

std::string_view Call::path_text(std::string_view name) const {
  const auto found =
      std::find_if(path.begin(), path.end(), [&](const auto& item) { return item.first == name; });
  CHECK(found != path.end());
  return found->second;
}

std::int64_t Call::path_integer(std::string_view name) const {
  std::string_view text = path_text(name);
  const bool negative = text.starts_with('-');
  if (negative) {
    text.remove_prefix(1);
  }
  const std::int64_t number = parse_int64(text).value_or(0);
  return negative ? -number : number;
}

std::optional<bool> Call::query_flag(std::string_view name) const {
  const auto text = query.get(name);
  if (!text) {
    return std::nullopt;
  }
  return *text == "1" || equals_ignoring_case(*text, "t") || equals_ignoring_case(*text, "true");
}

std::string Call::query_text(std::string_view name) const {
  return std::string(query.get(name).value_or(std::string_view{}));
}

std::vector<Parameter> list_parameters(std::vector<Parameter> more) {
  const std::int64_t page_size_max = auth::ListQuery::kPageSizeMax;
  more.push_back({.name = "q",
                  .description = "conditions: k=v, k=~v (contains), k=[from~to], k={any of}, "
                                 "k=(all of), separated by commas"});
  more.push_back({.name = "sort", .description = "comma-separated keys; - before one: descending"});
  more.push_back({.name = "page", .type = Type::kInteger, .description = "from 1"});
  more.push_back({.name = "page_size",
                  .type = Type::kInteger,
                  .description = "10 by default, at most 100",
                  .max = page_size_max});
  return more;
}

http::Response json_response(std::string body, int status) {
  http::Response response(status);
  response.set_body(std::move(body), "application/json");
  return response;
}

http::Response empty_response(int status) {
  return http::Response(status);
}

http::Response created_response(std::string_view location) {
  http::Response response(201);
  response.add_header("Location", location);
  return response;
}

}  // namespace roadstead::api
