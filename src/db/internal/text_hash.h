#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace roadstead::db::internal {

/// For maps from the text of a statement that are asked with a view of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

}  // namespace roadstead::db::internal
