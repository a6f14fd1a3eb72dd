#pragma once

#include <chrono>
#include <ctime>
#include <string_view>

#include "base/clock.h"
#include "base/text.h"

namespace roadstead::db::internal {

/// A server's clock between two times that it was read: moved on by the time since the boot of this
/// machine, which goes on while it is suspended, never by its wall clock. Used by one thread at a
/// time.
class ServerClock {
 public:
  /// What the server answered just now: microseconds since 1970.
  void set(std::string_view micros) {
    time_ = from_micros(parse_int64(micros).value_or(0));
    at_ = since_boot();
  }
  /// Whether the clocks may have drifted apart since.
  [[nodiscard]] bool stale() const { return age() > std::chrono::minutes{1}; }
  [[nodiscard]] Time now() const { return time_ + age(); }

 private:
  [[nodiscard]] std::chrono::microseconds age() const { return since_boot() - at_; }
  static std::chrono::microseconds since_boot() {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec});
  }

  Time time_{};
  std::chrono::microseconds at_{};
};

}  // namespace roadstead::db::internal
