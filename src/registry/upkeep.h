#pragma once

#include <cstddef>

#include "base/result.h"
#include "db/database.h"

namespace roadstead::registry {

/// Adds up to `count` rows of the quota ledger to the usage they belong to; returns how many. For a
/// timer: the sum that an upload into a limited project pays for stays short.
Result<std::size_t> fold_quota(db::Database& database, std::size_t count);

}  // namespace roadstead::registry
