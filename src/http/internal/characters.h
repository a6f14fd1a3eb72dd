#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace roadstead::http {

/// Classes of octets in RFC 9110 and RFC 3986, one bit each.
enum CharacterClass : std::uint8_t {
  kTokenCharacter = 1U,  ///< tchar: methods and field names
  kTargetCharacter =
      2U,  ///< request-target: visible ASCII without '#', '"', '<', '>', '\', '^', '`', …
  kHostCharacter = 4U,  ///< host[:port]
  kIdCharacter = 8U,    ///< what an X-Request-Id may hold
};

constexpr std::array<std::uint8_t, 256> make_character_classes() {
  std::array<std::uint8_t, 256> classes{};
  constexpr std::string_view kAlphanumeric =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const auto mark = [&](std::string_view characters, std::uint8_t bits) {
    for (const char c : characters) {
      classes[static_cast<unsigned char>(c)] |= bits;
    }
  };
  mark(kAlphanumeric, kTokenCharacter | kTargetCharacter | kHostCharacter | kIdCharacter);
  mark("!#$%&'*+-.^_`|~", kTokenCharacter);
  mark("._-", kIdCharacter);
  mark("-._~%!$&'()*+,;=:[]", kHostCharacter);
  // Clients send some characters raw that RFC 3986 wants escaped ('[', '|', '{', …): harmless.
  mark("-._~:/?[]@!$&'()*+,;=%\"<>\\^`{|}", kTargetCharacter);
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> kCharacterClasses = make_character_classes();

[[nodiscard]] constexpr bool is_in(char c, CharacterClass wanted) {
  return (kCharacterClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}
[[nodiscard]] constexpr bool all_in(std::string_view text, CharacterClass wanted) {
  for (const char c : text) {
    if (!is_in(c, wanted)) {
      return false;
    }
  }
  return true;
}

/// No control character but the tab: what a field value may hold. Eight octets at a time, because
/// bearer tokens are long.
[[nodiscard]] inline bool is_field_value(std::string_view text) {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0} / 0xFF;
  constexpr std::uint64_t kHighs = kOnes * 0x80;
  const auto is_control = [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t') || octet == 0x7F;
  };
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    const std::uint64_t low = (word - kOnes * 0x20) & ~word & kHighs;  // Some octet below 0x20?
    const std::uint64_t deletes = word ^ (kOnes * 0x7F);
    const std::uint64_t deleted = (deletes - kOnes) & ~deletes & kHighs;  // Some octet 0x7F?
    if ((low | deleted) != 0) {
      break;  // Perhaps only a tab: the loop below looks closely.
    }
  }
  for (; at < text.size(); ++at) {
    if (is_control(text[at])) {
      return false;
    }
  }
  return true;
}

}  // namespace roadstead::http
