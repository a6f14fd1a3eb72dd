#pragma once

#include <cstddef>
#include <cstdint>

#include "backup/internal/layout.h"
#include "base/result.h"

namespace roadstead::backup::internal {

/// Removes what backups that did not finish left in databases/.
Result<void> discard_unfinished(const Layout& layout);
/// Removes copies of the database but the newest `keep`, and content that none of the kept ones
/// lists; the number of files of content removed.
Result<std::int64_t> prune(const Layout& layout, std::size_t keep);

}  // namespace roadstead::backup::internal
