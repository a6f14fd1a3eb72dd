#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace roadstead::sys {

/// Test hook in front of every file-system call of sys/. `decide(call)` gets the call's name
/// ("open", "write", "fdatasync", "rename", "fsync", "mkdir", "unlink", "ftruncate", …) and returns
/// 0 to let it happen or an errno value to fail it without doing it. Installed process-wide for the
/// lifetime of the object; at most one at a time. One relaxed atomic load when none is installed.
class ScopedFaults {
 public:
  explicit ScopedFaults(std::function<int(std::string_view call)> decide);
  ~ScopedFaults();
  ScopedFaults(const ScopedFaults&) = delete;
  ScopedFaults& operator=(const ScopedFaults&) = delete;
};

/// Fails the N-th call (counting from 0) with `error_number`, lets all others happen; `fired()`
/// tells whether N was reached.
class FailNth {
 public:
  FailNth(std::size_t n, int error_number);
  ~FailNth();
  [[nodiscard]] bool fired() const;

 private:
  struct State;
  State* state_;
};

}  // namespace roadstead::sys
