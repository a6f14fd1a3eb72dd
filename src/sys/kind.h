#pragma once

#include <cstdint>

#include "base/result.h"
#include "sys/path_view.h"

namespace roadstead::sys {

/// What has a name, without following a symbolic link. Errors as in sys/file.h.
enum class Kind : std::uint8_t { kNothing, kFile, kDirectory, kLink, kOther };
Result<Kind> kind_of(PathView path);

}  // namespace roadstead::sys
