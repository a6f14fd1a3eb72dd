#pragma once

#include "base/result.h"
#include "sys/file.h"
#include "sys/path_view.h"

namespace roadstead::sys {

/// Gives an open file another name. False where it cannot have one there: another file system, or
/// one without links; the caller copies then. Errors: kConflict when `to` exists.
Result<bool> link_file(const File& file, PathView to);
/// Makes everything written so far to the file system of `path` survive power loss: for many small
/// files at once, where a sync of each would cost more.
Result<void> sync_file_system(PathView path);

}  // namespace roadstead::sys
