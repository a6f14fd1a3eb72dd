#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roadstead {

/// ASCII only, whatever the locale.
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
[[nodiscard]] constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
[[nodiscard]] constexpr char to_lower(char c) {
  return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

/// Removes spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

/// The pieces between separators; "a,,b" has three, "" has one.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// Decimal digits only: no sign, no space, no overflow; otherwise nothing.
[[nodiscard]] std::optional<std::uint64_t> parse_uint64(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_int64(std::string_view text);

[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);
/// Lower- or upper-case digits, an even number of them; otherwise nothing.
[[nodiscard]] std::optional<std::vector<std::byte>> from_hex(std::string_view text);

/// RFC 4648 sections 4 and 5. Decoding refuses foreign characters; padding is required for base64,
/// absent for base64url.
[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);
[[nodiscard]] std::string to_base64url(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace roadstead
