#pragma once

#include <errno.h>

#include <string_view>

#include "base/error.h"
#include "sys/faults.h"
#include "sys/path_view.h"

namespace roadstead::sys::internal {

/// Makes a system call that reports failure as -1 and errno: after the fault hook, and again while
/// a signal interrupts it.
template <typename F>
auto system_call(std::string_view name, PathView path, F&& make) -> decltype(make()) {
  if (const int error_number = fault(name, path); error_number != 0) [[unlikely]] {
    errno = error_number;
    return -1;
  }
  for (;;) {
    const auto result = make();
    if (result != -1 || errno != EINTR) {
      return result;
    }
  }
}

/// What errno says about `what` done to `path`. Names that are missing or taken get codes of their
/// own, because callers decide by them.
Error failed(std::string_view what, PathView path);

}  // namespace roadstead::sys::internal
