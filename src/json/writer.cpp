#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "json/json.h"

namespace roadstead::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// Bytes of the well-formed UTF-8 sequence that `text` (not empty) begins with, 0 when it begins
// with none (Unicode, table 3-7).
std::size_t sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xC2 || first > 0xF4) {
    return 0;
  }
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < size) {
    return 0;
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) {
      return 0;
    }
  }
  // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
  const bool refused = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
                       (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
  return refused ? 0 : size;
}

void append_escaped(std::string& out, char c) {
  static constexpr std::string_view kFrom = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kTo = "\"\\bfnrt";
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += '\\';
  if (const auto at = kFrom.find(c); at != std::string_view::npos) {
    out += kTo[at];
    return;
  }
  const auto code = static_cast<unsigned char>(c);
  out += "u00";
  out += kDigits[code >> 4U];
  out += kDigits[code & 15U];
}

bool is_plain(char c) {
  return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) {
      ++plain;
    }
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) {
      break;
    }
    const std::size_t size = sequence_size(text);
    if (size == 1) {
      append_escaped(out, text[0]);
    } else {
      out += size == 0 ? kReplacement : text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

template <typename T>
void append_number(std::string& out, T number) {
  std::array<char, 32> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  CHECK(result.ec == std::errc{});
  out.append(digits.data(), result.ptr);
}

}  // namespace

void Writer::before_value() {
  if (open_.empty()) {
    CHECK(out_.empty());  // One value makes a text.
  } else if (open_.back() == Container::kObject) {
    CHECK(last_ == Last::kKey);
  } else if (last_ == Last::kValue) {
    out_ += ',';
  }
  last_ = Last::kValue;
}

void Writer::open(char bracket, Container container) {
  before_value();
  out_ += bracket;
  open_.push_back(container);
  last_ = Last::kOpening;
}

void Writer::close(Container container) {
  CHECK(!open_.empty() && open_.back() == container && last_ != Last::kKey);
  out_ += static_cast<char>(container);
  open_.pop_back();
  last_ = Last::kValue;
}

void Writer::begin_object() {
  open('{', Container::kObject);
}

void Writer::end_object() {
  close(Container::kObject);
}

void Writer::begin_array() {
  open('[', Container::kArray);
}

void Writer::end_array() {
  close(Container::kArray);
}

void Writer::key(std::string_view name) {
  CHECK(!open_.empty() && open_.back() == Container::kObject && last_ != Last::kKey);
  if (last_ == Last::kValue) {
    out_ += ',';
  }
  append_quoted(out_, name);
  out_ += ':';
  last_ = Last::kKey;
}

void Writer::value(std::string_view text) {
  before_value();
  append_quoted(out_, text);
}

void Writer::value(std::int64_t number) {
  before_value();
  append_number(out_, number);
}

void Writer::value(std::uint64_t number) {
  before_value();
  append_number(out_, number);
}

void Writer::value(double number) {
  if (!std::isfinite(number)) {
    null();
    return;
  }
  before_value();
  append_number(out_, number);
}

void Writer::boolean(bool truth) {
  before_value();
  out_ += truth ? "true" : "false";
}

void Writer::null() {
  before_value();
  out_ += "null";
}

void Writer::raw(std::string_view json) {
  CHECK(!json.empty());
  before_value();
  out_ += json;
}

std::string Writer::take() {
  CHECK(open_.empty() && !out_.empty());
  last_ = Last::kOpening;
  return std::exchange(out_, {});
}

std::string quote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text);
  return out;
}

}  // namespace roadstead::json
