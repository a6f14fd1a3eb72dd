#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/clock.h"

namespace roadstead::log {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kJson };

/// One named value of a log line: {"bytes", 12}. Holds views: use it only as an argument.
struct Field {
  std::string_view name;
  std::variant<std::int64_t, double, std::string_view> value;

  template <typename T>
  Field(std::string_view field_name, const T& field_value)
      : name(field_name) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<double>(field_value);
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<std::int64_t>(field_value);
    } else {
      value = std::string_view(field_value);
    }
  }
};

/// Writes whole lines to a file descriptor. Lines below kWarning are gathered and written by a
/// thread of its own at most 100 ms later or at 64 KiB; others go out at once, after what was
/// gathered. When the descriptor does not keep up, at most 1 MiB is kept and later lines are
/// dropped and counted in the next line that fits. Thread-safe.
class Sink {
 public:
  /// Does not own `fd`.
  Sink(int fd, Format format, Level level, const Clock& clock);
  ~Sink();  ///< Writes what is left.
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  void set_level(Level level);
  [[nodiscard]] bool enabled(Level level) const;
  /// `request_id` may be empty. Control characters in text are escaped, so input cannot forge a
  /// line.
  void write(Level level, std::string_view request_id, std::string_view message,
             std::initializer_list<Field> fields);
  void flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A sink together with the request it speaks for. Cheap to copy; the sink and the id outlive it.
class Logger {
 public:
  explicit Logger(Sink& sink, std::string_view request_id = {})
      : sink_(&sink), request_id_(request_id) {}

  void debug(std::string_view message, std::initializer_list<Field> fields = {}) const {
    write(Level::kDebug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<Field> fields = {}) const {
    write(Level::kInfo, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<Field> fields = {}) const {
    write(Level::kWarning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<Field> fields = {}) const {
    write(Level::kError, message, fields);
  }
  [[nodiscard]] Logger with_request(std::string_view request_id) const {
    return Logger(*sink_, request_id);
  }

 private:
  void write(Level level, std::string_view message, std::initializer_list<Field> fields) const {
    if (sink_->enabled(level)) {
      sink_->write(level, request_id_, message, fields);
    }
  }
  Sink* sink_;
  std::string_view request_id_;
};

}  // namespace roadstead::log
