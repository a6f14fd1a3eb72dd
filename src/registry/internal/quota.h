#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::registry::internal {

struct Quota {
  std::int64_t limit = -1;  ///< -1: none; `used` was then not summed.
  std::int64_t used = 0;    ///< Folded usage and the deltas not folded yet: exact.
  [[nodiscard]] bool unlimited() const { return limit < 0; }
};
Result<Quota> read_quota(db::ReadSession& session, ProjectId project);
/// kDenied + kQuota with Harbor's sentence.
Error quota_exceeded(const Quota& quota, std::int64_t adding);
/// Appends to the ledger; a positive amount after the check against the limit.
Result<void> charge(db::WriteSession& session, ProjectId project, std::int64_t bytes);

}  // namespace roadstead::registry::internal
