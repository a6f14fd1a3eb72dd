#pragma once

#include <string_view>
#include <vector>

#include "api/operation/operation.h"
#include "api/v2/operations.h"

namespace roadstead::api {

inline constexpr std::string_view kV1Base = "/api";

/// What health checks and old clients ask below /api, without a version and without credentials:
/// ping, version and the system information of Harbor 1.x.
std::vector<Operation> v1_operations(const Installation& installation);

}  // namespace roadstead::api
