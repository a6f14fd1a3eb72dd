#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "base/result.h"

namespace roadstead {

/// A point in civil time with microseconds, as stored in the database (UTC, microseconds since
/// 1970).
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

[[nodiscard]] inline std::int64_t to_micros(Time time) {
  return time.time_since_epoch().count();
}
[[nodiscard]] inline Time from_micros(std::int64_t micros) {
  return Time(std::chrono::microseconds(micros));
}

/// RFC 3339 with milliseconds, UTC: "2026-11-23T07:31:50.123Z". The form of Harbor's REST API.
std::string format_rfc3339(Time time);
inline constexpr std::size_t kRfc3339Length = 24;
/// The same without allocating.
void format_rfc3339(Time time, std::span<char, kRfc3339Length> into);
/// RFC 9110 section 5.6.7: "Mon, 23 Nov 2026 07:31:50 GMT".
std::string format_http_date(Time time);

/// Civil time. A collaborator, so that tests can set it. Methods may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Time now() const override;
};

/// A clock that stands still until told otherwise.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time start) : now_(start) {}
  [[nodiscard]] Time now() const override {
    return now_.with([](const Time& now) { return now; });
  }
  void advance(std::chrono::microseconds by) {
    now_.with([&](Time& now) { now += by; });
  }

 private:
  Guarded<Time> now_;
};

}  // namespace roadstead
