#include "api/operation/internal/request_check.h"

#include <algorithm>

#include "api/operation/body.h"
#include "base/text.h"

namespace roadstead::api::internal {
namespace {

constexpr std::string_view kJson = "application/json";

std::string_view without_parameters(std::string_view media_type) {
  return trim(media_type.substr(0, media_type.find(';')));
}

bool accepts(std::string_view range, std::string_view type) {
  return range == "*/*" || equals_ignoring_case(range, type) ||
         (range.ends_with("/*") && equals_ignoring_case(range.substr(0, range.size() - 1),
                                                        type.substr(0, type.find('/') + 1)));
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  return parse_int64(text).has_value();
}

std::string_view place_of(Parameter::In in) {
  switch (in) {
    case Parameter::In::kPath:
      return "path";
    case Parameter::In::kQuery:
      return "query";
    case Parameter::In::kHeader:
      return "header";
  }
  return {};
}

Error wrong(const Parameter& parameter, std::string_view what) {
  std::string message(parameter.name);
  message.append(" in ").append(place_of(parameter.in)).append(" ").append(what);
  return validation_error(message);
}

Result<void> check_value(const Parameter& parameter, std::string_view value) {
  if (parameter.type != Type::kInteger) {
    return {};
  }
  if (!is_integer(value)) {
    return wrong(parameter, "must be of type int64: \"" + std::string(value) + "\"");
  }
  const auto number = parse_int64(value);
  if (parameter.max != 0 && number && *number > parameter.max) {
    return wrong(parameter, "should be less than or equal to " + std::to_string(parameter.max));
  }
  return {};
}

const Parameter* find_parameter(std::span<const Parameter> documented, Parameter::In in,
                                std::string_view name) {
  const auto found = std::find_if(documented.begin(), documented.end(),
                                  [&](const Parameter& p) { return p.in == in && p.name == name; });
  return found == documented.end() ? nullptr : &*found;
}

}  // namespace

Result<void> check_accept(const http::Request& request, std::string_view produces) {
  const auto accept = request.header("Accept");
  if (!accept || trim(*accept).empty()) {
    return {};
  }
  for (const std::string_view range : split(*accept, ',')) {
    if (accepts(without_parameters(range), produces)) {
      return {};
    }
  }
  return validation_error("unsupported media type requested, only [" + std::string(produces) +
                          "] are available");
}

Result<void> check_content_type(const http::Request& request) {
  const std::string_view type =
      without_parameters(request.header("Content-Type").value_or("application/octet-stream"));
  if (request.body.empty() || equals_ignoring_case(type, kJson)) {
    return {};
  }
  return validation_error("unsupported media type " + std::string(1, '"') + std::string(type) +
                          "\", only [" + std::string(kJson) + "] are allowed");
}

Result<std::vector<std::pair<std::string_view, std::string>>> decode_path(
    std::span<const std::string_view> names, const http::RouteParameters& values,
    std::span<const Parameter> documented) {
  std::vector<std::pair<std::string_view, std::string>> path;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto value = http::percent_decode(values[i]);
    if (value && names[i] == "repository_name") {
      value = http::percent_decode(*value);
    }
    if (!value) {
      return wrong({.name = names[i], .in = Parameter::In::kPath}, "is not well encoded");
    }
    if (const Parameter* known = find_parameter(documented, Parameter::In::kPath, names[i])) {
      TRY(check_value(*known, *value));
    }
    path.emplace_back(names[i], std::move(*value));
  }
  return path;
}

Result<http::Query> check_query(const http::Request& request,
                                std::span<const Parameter> documented) {
  auto query = http::Query::parse(request.query);
  if (!query) {
    return validation_error("the query is not well encoded or too long");
  }
  for (const Parameter& parameter : documented) {
    if (parameter.in != Parameter::In::kQuery) {
      continue;
    }
    const auto value = query->get(parameter.name);
    if (parameter.required && (!value || value->empty())) {
      return wrong(parameter, "is required");
    }
    if (value && !value->empty()) {
      TRY(check_value(parameter, *value));
    }
  }
  return std::move(*query);
}

}  // namespace roadstead::api::internal
