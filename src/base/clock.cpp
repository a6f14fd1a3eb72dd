#include "base/clock.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

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

void format_rfc3339(Time time, std::span<char, kRfc3339Length> into) {
  // Digit by digit and without the C library's time zones: every log line begins with this.
  const auto put = [&](std::size_t end, std::int64_t value, int digits) {
    for (; digits > 0; --digits, value /= 10) {
      into[--end] = static_cast<char>('0' + value % 10);
    }
  };
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  std::copy(kForm.begin(), kForm.end(), into.begin());
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  put(4, static_cast<int>(date.year()), 4);
  put(7, static_cast<unsigned>(date.month()), 2);
  put(10, static_cast<unsigned>(date.day()), 2);
  put(13, clock.hours().count(), 2);
  put(16, clock.minutes().count(), 2);
  put(19, clock.seconds().count(), 2);
  put(23, clock.subseconds().count(), 3);
}

std::string format_rfc3339(Time time) {
  std::array<char, kRfc3339Length> text;
  format_rfc3339(time, text);
  return {text.data(), text.size()};
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
