#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roadstead::auth {

/// One condition of a list: "name=~lib" is {kFuzzy, "name", {"lib"}}.
struct Filter {
  enum class Kind : std::uint8_t {
    kExact,  ///< One value.
    kFuzzy,  ///< Contains, ignoring ASCII case; one value.
    kRange,  ///< From values[0] to values[1], both included; an empty one is open.
    kAnyOf,  ///< At least one value.
    kAllOf,  ///< Sets only (labels of an artifact): a plain column never matches two values.
  };
  Kind kind = Kind::kExact;
  std::string key;
  std::vector<std::string> values;
};

struct SortKey {
  std::string key;
  bool descending = false;
};

/// What a list is asked for. Parsed by api/operation; keys that a list does not know are ignored.
struct ListQuery {
  static constexpr std::int64_t kPageSizeMax = 100;
  std::vector<Filter> filters;
  std::vector<SortKey> sort;
  std::int64_t page = 1;  ///< As asked: 0 and below mean the first.
  std::int64_t page_size = 10;

  /// Rows to return: page_size within 1 … kPageSizeMax; 0 and below ask for as many as we give.
  [[nodiscard]] std::int64_t limit() const;
  /// Rows to leave out before.
  [[nodiscard]] std::int64_t offset() const;
  /// The last filter of this key, or null.
  [[nodiscard]] const Filter* find(std::string_view key) const;
};

/// One page and how many rows there are in all.
template <typename T>
struct Page {
  std::vector<T> items;
  std::int64_t total = 0;
};

}  // namespace roadstead::auth
