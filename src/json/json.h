#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roadstead::json {

struct Limits {
  std::size_t depth_max = 32;
  std::size_t size_max = std::size_t{4} << 20U;
};

/// A view of a value inside a Document; valid as long as the Document. Cheap to copy. A
/// default-made Value is absent. The as_… functions answer nothing when the value has another type;
/// they never convert.
class Value {
 public:
  Value() = default;
  [[nodiscard]] bool present() const { return node_ != nullptr; }
  [[nodiscard]] bool is_null() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] std::optional<std::string_view> as_string() const;
  [[nodiscard]] std::optional<std::int64_t> as_int() const;  ///< Integers only, within int64.
  [[nodiscard]] std::optional<double> as_double() const;     ///< Any number.
  [[nodiscard]] std::optional<bool> as_bool() const;
  /// Member of an object, or an absent Value when this is no object or has no such member.
  [[nodiscard]] Value operator[](std::string_view name) const;
  /// Number of elements of an array or members of an object; 0 for other types.
  [[nodiscard]] std::size_t size() const;
  /// Element `index` of an array, index < size().
  [[nodiscard]] Value at(std::size_t index) const;
  /// Name and value of member `index` of an object, index < size().
  [[nodiscard]] std::string_view name_at(std::size_t index) const;
  [[nodiscard]] Value value_at(std::size_t index) const;
  /// "object", "array", "string", "number", "boolean", "null", "nothing": for error messages.
  [[nodiscard]] std::string_view type_name() const;
  /// This value as compact JSON text.
  [[nodiscard]] std::string to_text() const;

 private:
  friend class Document;
  explicit Value(const void* node) : node_(node) {}
  const void* node_ = nullptr;
};

/// A parsed JSON text (RFC 8259): strict, UTF-8 checked, of two equal names the last counts.
class Document {
 public:
  /// Errors: kInvalid + kRequest with position, kTooLarge + kRequest. Integers beyond int64 and
  /// uint64 become floating-point numbers; what is beyond those is refused. `text` is not needed
  /// afterwards.
  static Result<Document> parse(std::string_view text, const Limits& limits = {});
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  [[nodiscard]] Value root() const;

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Writes compact JSON into a string it owns. Structure errors (a value where a name is due) break
/// a CHECK.
///   Writer w;  w.begin_object();  w.member("name", name);  w.key("tags"); w.begin_array(); …
///   w.end_array(); w.end_object();
class Writer {
 public:
  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void key(std::string_view name);
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(std::int64_t number);
  void value(std::uint64_t number);
  void value(double number);  ///< NaN and infinities, which JSON lacks, become null.
  /// Other integers, and bool. A template, so that no pointer becomes a truth value by accident.
  template <std::integral T>
  void value(T v) {
    if constexpr (std::same_as<T, bool>) {
      boolean(v);
    } else if constexpr (std::signed_integral<T>) {
      value(static_cast<std::int64_t>(v));
    } else {
      value(static_cast<std::uint64_t>(v));
    }
  }
  void null();
  /// `json` must be a valid JSON text; written as it is.
  void raw(std::string_view json);
  template <typename T>
  void member(std::string_view name, const T& v) {
    key(name);
    value(v);
  }
  /// The finished text. CHECKs that there is one and that everything opened was closed. The writer
  /// is then as new.
  [[nodiscard]] std::string take();

 private:
  enum class Container : char { kObject = '}', kArray = ']' };
  /// What was written last, which decides about commas and about what may follow.
  enum class Last { kOpening, kKey, kValue };

  void before_value();
  void open(char bracket, Container container);
  void close(Container container);
  void boolean(bool truth);

  std::string out_;
  std::vector<Container> open_;  ///< Outermost first.
  Last last_ = Last::kOpening;
};

/// `text` as a JSON string with its quotes. Invalid UTF-8 is replaced by U+FFFD.
std::string quote(std::string_view text);

}  // namespace roadstead::json
