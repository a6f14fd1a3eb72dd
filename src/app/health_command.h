#pragma once

#include <string>

#include "app/settings.h"
#include "base/result.h"

namespace roadstead::app {

/// Asks a server, by default the one that works in the data directory, whether it can serve, and
/// returns that it serves. An answer may take 4 s. Errors: kUnavailable when
/// there is no answer or it is not a good one; kInvalid + kRequest for a URL that is none.
Result<std::string> ask_health(const Settings& settings, const std::string& url);

}  // namespace roadstead::app
