#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "json/json.h"

namespace {

using roadstead::json::Document;
using roadstead::json::Value;
using roadstead::json::Writer;

void write(Writer& w, const Value& value) {
  if (value.is_object()) {
    w.begin_object();
    for (std::size_t i = 0; i < value.size(); ++i) {
      w.key(value.name_at(i));
      write(w, value.value_at(i));
    }
    w.end_object();
  } else if (value.is_array()) {
    w.begin_array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      write(w, value.at(i));
    }
    w.end_array();
  } else if (const auto text = value.as_string()) {
    w.value(*text);
  } else if (const auto whole = value.as_int()) {
    w.value(*whole);
  } else if (const auto number = value.as_double()) {
    w.value(*number);
  } else if (const auto truth = value.as_bool()) {
    w.value(*truth);
  } else {
    CHECK(value.is_null());
    w.null();
  }
}

// The parser rounds the last digit of long fractions in its own way.
bool nearly(double a, double b) {
  return a == b || std::abs(a - b) <= 1e-12 * std::max(std::abs(a), std::abs(b));
}

void check_same(const Value& a, const Value& b) {
  CHECK(a.type_name() == b.type_name() && a.size() == b.size());
  CHECK(a.as_string() == b.as_string() && a.as_bool() == b.as_bool());
  if (a.as_double()) {
    CHECK(nearly(*a.as_double(), *b.as_double()));
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a.is_object()) {
      CHECK(a.name_at(i) == b.name_at(i));
      CHECK(a[a.name_at(i)].type_name() == a.value_at(i).type_name());
      check_same(a.value_at(i), b.value_at(i));
    } else {
      check_same(a.at(i), b.at(i));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto quoted = Document::parse(roadstead::json::quote(input), {1, 16 * size + 2});
  CHECK(quoted && quoted->root().as_string());
  const auto document = Document::parse(input, {.depth_max = 8, .size_max = 1U << 16U});
  if (!document) {
    return 0;
  }
  Writer w;
  write(w, document->root());
  const auto again = Document::parse(w.take());
  CHECK(again);
  check_same(document->root(), again->root());
  const auto printed = Document::parse(document->root().to_text());
  CHECK(printed);
  check_same(document->root(), printed->root());
  return 0;
}
