#pragma once

#include <string>
#include <string_view>

namespace roadstead::api {

/// The OpenAPI document of the REST API as JSON text. Needs nothing that runs, so the command line
/// can write it.
std::string v2_openapi_document(std::string_view version);

}  // namespace roadstead::api
