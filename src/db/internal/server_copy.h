#pragma once

#include <filesystem>

#include "base/log.h"
#include "db/copy.h"

namespace roadstead::db::internal {

/// Database::copy_to() of a server: row by row into a new file of the embedded engine.
Result<void> copy_to_file(const CopyEnd& source, const std::filesystem::path& path,
                          const log::Logger& logger);

}  // namespace roadstead::db::internal
