#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace roadstead::api {

/// RFC 3339 with any offset and fraction ("2026-11-25T10:00:00Z", "2026-11-25T11:00:00.5+01:00");
/// nothing when the text is none, or a date that does not exist.
std::optional<Time> parse_rfc3339(std::string_view text);

}  // namespace roadstead::api
