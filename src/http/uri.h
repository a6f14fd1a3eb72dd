#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roadstead::http {

/// RFC 3986 percent-decoding; nothing when an escape is malformed or decodes to NUL. '+' stays '+'.
std::optional<std::string> percent_decode(std::string_view text);
/// Escapes everything but unreserved characters (and those in `keep`).
std::string percent_encode(std::string_view text, std::string_view keep = {});

/// The query of a URL: "a=1&b=x%20y&a=2" ('+' is a blank). At most 200 parameters; malformed
/// escapes make parse() fail.
class Query {
 public:
  static std::optional<Query> parse(std::string_view text);
  /// First value of the name, or nothing.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return get(name).has_value(); }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& items() const {
    return items_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace roadstead::http
