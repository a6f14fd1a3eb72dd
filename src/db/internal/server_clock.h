#pragma once

#include <chrono>
#include <string_view>

#include "base/clock.h"
#include "base/text.h"

namespace roadstead::db::internal {

/// A server's clock between two times that it was read: moved on by our own steady clock, never by
/// the wall clock of this machine. Used by one thread at a time.
class ServerClock {
 public:
  /// What the server answered just now: microseconds since 1970.
  void set(std::string_view micros) {
    time_ = from_micros(parse_int64(micros).value_or(0));
    at_ = std::chrono::steady_clock::now();
  }
  /// Whether the clocks may have drifted apart since.
  [[nodiscard]] bool stale() const { return age() > std::chrono::minutes{1}; }
  [[nodiscard]] Time now() const { return time_ + age(); }

 private:
  [[nodiscard]] std::chrono::microseconds age() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 at_);
  }
  Time time_{};
  std::chrono::steady_clock::time_point at_{};
};

}  // namespace roadstead::db::internal
