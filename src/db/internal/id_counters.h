#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "db/copy.h"

namespace roadstead::db::internal {

/// The highest id that a table has given away, whether its row is still there or not, as far as the
/// engine remembers; 0 when there is none.
Result<std::int64_t> last_id(const CopyEnd& end, const std::string& table);
/// Makes the next id of the table `last` + 1.
Result<void> set_last_id(const CopyEnd& end, const std::string& table, std::int64_t last);

}  // namespace roadstead::db::internal
