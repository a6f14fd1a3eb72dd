#pragma once

namespace roadstead {

/// Prints the broken invariant and aborts. Never called for bad input: input is refused with an
/// Error.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace roadstead

/// Guards an invariant of our own code. Stays on in release builds.
#define CHECK(condition)                               \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::roadstead::check_failed(#condition, __FILE__, __LINE__))
