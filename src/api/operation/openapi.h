#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/operation/operation.h"

namespace roadstead::api {

struct OpenApiInfo {
  std::string_view title;
  std::string_view version;
  std::string_view base;  ///< "/api/v2.0"
};

/// The OpenAPI 3.0 description of an operation table, as JSON text.
std::string openapi_document(std::span<const Operation> operations, const OpenApiInfo& info);

}  // namespace roadstead::api
