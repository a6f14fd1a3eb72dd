#include "base/clock.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

namespace roadstead {
namespace {

std::tm civil(Time time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

std::string format_rfc3339(Time time) {
  const std::tm t = civil(time);
  const auto since_second = time - std::chrono::floor<std::chrono::seconds>(time);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(since_second).count();
  // Digit by digit: every log line begins with this.
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&](std::size_t end, std::int64_t value, int digits) {
    for (; digits > 0; --digits, value /= 10) {
      text[--end] = static_cast<char>('0' + value % 10);
    }
  };
  put(4, t.tm_year + 1900, 4);
  put(7, t.tm_mon + 1, 2);
  put(10, t.tm_mday, 2);
  put(13, t.tm_hour, 2);
  put(16, t.tm_min, 2);
  put(19, t.tm_sec, 2);
  put(23, milliseconds, 3);
  return text;
}

std::string format_http_date(Time time) {
  // Not strftime: day and month names must not follow the locale.
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm t = civil(time);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays.at(static_cast<std::size_t>(t.tm_wday)), t.tm_mday,
                     kMonths.at(static_cast<std::size_t>(t.tm_mon)), t.tm_year + 1900, t.tm_hour,
                     t.tm_min, t.tm_sec);
}

Time SystemClock::now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace roadstead
