#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/operation/schema.h"
#include "base/result.h"
#include "http/message.h"
#include "http/uri.h"

/// Whether a request has the form that its operation is documented with. Errors of all: kInvalid +
/// kRequest with Harbor's words.
namespace roadstead::api::internal {

/// The Accept header names `produces` or leaves it open.
Result<void> check_accept(const http::Request& request, std::string_view produces);
/// The body is JSON.
Result<void> check_content_type(const http::Request& request);

/// Path parameters, decoded. Names of repositories may be encoded twice, as their slashes are.
Result<std::vector<std::pair<std::string_view, std::string>>> decode_path(
    std::span<const std::string_view> names, const http::RouteParameters& values,
    std::span<const Parameter> documented);

/// Required parameters are there, integers are integers within their limit.
Result<http::Query> check_query(const http::Request& request,
                                std::span<const Parameter> documented);

}  // namespace roadstead::api::internal
