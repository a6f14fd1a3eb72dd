#pragma once

#include <chrono>
#include <optional>

namespace roadstead::app {

/// The signals a server is steered with, taken one by one by the main thread. Blocks them for every
/// thread that is started later, so make it before the first thread.
class Signals {
 public:
  enum class Kind { kStop, kReload };
  Signals();
  /// Waits at most `timeout`.
  std::optional<Kind> wait(std::chrono::milliseconds timeout);
};

}  // namespace roadstead::app
