#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string_view>

#include "sys/path_view.h"

namespace roadstead::sys {

/// Test hook in front of every file-system call of sys/. `decide(call, path)` gets the call's name
/// ("open", "write", "fdatasync", "rename", "fsync", "mkdir", "unlink", "ftruncate", …) and returns
/// 0 to let it happen or an errno value to fail it without doing it. Installed process-wide for the
/// lifetime of the object; at most one at a time. One relaxed atomic load when none is installed.
/// `decide` may run on several threads at once; while the object comes and goes no other thread
/// may be in a file-system call.
class ScopedFaults {
 public:
  using Decide = std::function<int(std::string_view call, const std::filesystem::path& path)>;
  explicit ScopedFaults(Decide decide);
  ~ScopedFaults();
  ScopedFaults(const ScopedFaults&) = delete;
  ScopedFaults& operator=(const ScopedFaults&) = delete;

 private:
  Decide decide_;
};

/// Fails the N-th call (counting from 0) with `error_number`, lets all others happen; `fired()`
/// tells whether N was reached.
class FailNth {
 public:
  FailNth(std::size_t n, int error_number);
  [[nodiscard]] bool fired() const { return fired_; }

 private:
  int decide();

  const std::size_t n_;
  const int error_number_;
  std::atomic<std::size_t> calls_ = 0;
  std::atomic<bool> fired_ = false;
  ScopedFaults faults_;  // Last: calls decide().
};

namespace detail {
extern std::atomic<const ScopedFaults::Decide*> installed_faults;
}

/// For code that makes a file-system call of its own: the errno value to fail it with, or 0.
[[nodiscard]] inline int fault(std::string_view call, PathView path) {
  const auto* decide = detail::installed_faults.load(std::memory_order_relaxed);
  return decide == nullptr ? 0 : (*decide)(call, path.path());
}

}  // namespace roadstead::sys
