#include "api/operation/time_text.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/text.h"

namespace roadstead::api {
namespace {

/// Takes pieces off the front; after the first that is not there nothing counts any more.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::int64_t number(std::size_t digits, std::int64_t min, std::int64_t max) {
    const auto value = parse_int64(rest_.substr(0, digits));
    good_ = good_ && rest_.size() >= digits && value && *value >= min && *value <= max;
    rest_.remove_prefix(std::min(digits, rest_.size()));
    return value.value_or(0);
  }
  void expect(char a, char b) {
    good_ = good_ && !rest_.empty() && (rest_.front() == a || rest_.front() == b);
    rest_.remove_prefix(rest_.empty() ? 0 : 1);
  }
  [[nodiscard]] bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
  /// ".123456…" in microseconds; what is finer is cut off.
  std::int64_t fraction() {
    std::int64_t micros = 0;
    std::int64_t unit = 100'000;
    std::size_t digits = 1;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits, unit /= 10) {
      micros += (rest_[digits] - '0') * unit;
    }
    good_ = good_ && digits > 1;
    rest_.remove_prefix(digits);
    return micros;
  }
  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

/// Minutes east of Greenwich.
std::int64_t offset_minutes(Scanner& scanner) {
  if (scanner.next_is('Z') || scanner.next_is('z')) {
    scanner.expect('Z', 'z');
    return 0;
  }
  const bool west = scanner.next_is('-');
  scanner.expect('+', '-');
  const std::int64_t hours = scanner.number(2, 0, 23);
  scanner.expect(':', ':');
  const std::int64_t minutes = hours * 60 + scanner.number(2, 0, 59);
  return west ? -minutes : minutes;
}

}  // namespace

std::optional<Time> parse_rfc3339(std::string_view text) {
  namespace chr = std::chrono;
  Scanner scanner(text);
  const auto year = scanner.number(4, 1970, 9999);
  scanner.expect('-', '-');
  const auto month = scanner.number(2, 1, 12);
  scanner.expect('-', '-');
  const auto day = scanner.number(2, 1, 31);
  scanner.expect('T', 't');
  const auto hour = scanner.number(2, 0, 23);
  scanner.expect(':', ':');
  const auto minute = scanner.number(2, 0, 59);
  scanner.expect(':', ':');
  const auto second = scanner.number(2, 0, 60);
  const std::int64_t micros = scanner.next_is('.') ? scanner.fraction() : 0;
  const std::int64_t offset = offset_minutes(scanner);
  const chr::year_month_day date{chr::year(static_cast<int>(year)),
                                 chr::month(static_cast<unsigned>(month)),
                                 chr::day(static_cast<unsigned>(day))};
  if (!scanner.done() || !date.ok()) {
    return std::nullopt;
  }
  return Time(chr::sys_days(date).time_since_epoch() + chr::hours(hour) +
              chr::minutes(minute - offset) + chr::seconds(second) + chr::microseconds(micros));
}

}  // namespace roadstead::api
