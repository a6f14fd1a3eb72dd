#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace roadstead::api {

/// What a value of the REST API is. Bodies and parameters are checked against it before an
/// operation runs, and the OpenAPI document is written from it: one description for both.
enum class Type : std::uint8_t {
  kString,
  kInteger,  ///< 64 bits.
  kBoolean,
  kTime,       ///< RFC 3339 text.
  kObject,     ///< Of `schema`.
  kList,       ///< Of objects of `schema`, or of texts when there is none.
  kIntegers,   ///< A list.
  kStringMap,  ///< An object whose values are texts.
};

struct Schema;

struct Field {
  std::string_view name;
  Type type = Type::kString;
  std::string_view description{};
  const Schema* schema = nullptr;  ///< Outlives the field.
  std::size_t length_max = 0;      ///< Of a text, in characters; 0: as long as the body may be.
};

/// A named object.
struct Schema {
  std::string_view name;
  std::vector<Field> fields;
  bool any_texts = false;  ///< Any other fields too, whose values are texts.
};

struct Parameter {
  enum class In : std::uint8_t { kPath, kQuery, kHeader };
  std::string_view name;
  In in = In::kQuery;
  Type type = Type::kString;  ///< kString, kInteger or kBoolean.
  bool required = false;
  std::string_view description{};
  std::int64_t max = 0;  ///< Of an integer; 0: none.
};

}  // namespace roadstead::api
