#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "base/result.h"

namespace roadstead::app {

/// Reads the settings again, for SIGHUP.
using LoadSettings = std::function<Result<Settings>()>;

/// Runs the registry until SIGTERM or SIGINT and drains it then; a second signal stops at once.
/// SIGHUP reads certificates and the log level again. `print` gets what people should see at the
/// start: URLs and, once, the first password.
Result<void> serve(const Settings& settings, const LoadSettings& reload,
                   const std::function<void(std::string_view)>& print);

}  // namespace roadstead::app
