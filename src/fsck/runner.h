#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "fsck/check.h"

namespace roadstead::fsck {

/// Runs checks on a thread of its own inside a server, one at a time. Thread-safe.
class Runner {
 public:
  Runner(Check::Parts parts, log::Logger logger);
  /// Stops a running check.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Errors: kConflict + kRequest while one runs.
  Result<void> start(const CheckOptions& options);

  struct Status {
    bool running = false;
    std::string stage;                      ///< While it runs.
    std::optional<Result<Report>> outcome;  ///< Of the last one that ended.
  };
  [[nodiscard]] Status status() const { return wait({}); }
  /// The same, as soon as none runs, or after `limit`.
  [[nodiscard]] Status wait(std::chrono::milliseconds limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::fsck
