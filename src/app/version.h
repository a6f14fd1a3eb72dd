#pragma once

#include <string_view>

namespace roadstead::app {

/// "0.1.0", from the build.
inline constexpr std::string_view kVersion = ROADSTEAD_VERSION;

}  // namespace roadstead::app
