#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace roadstead::redis {

/// What a server answers to a command.
struct Reply {
  enum class Kind : std::uint8_t { kNothing, kInteger, kText, kList, kError };
  Kind kind = Kind::kNothing;
  std::int64_t integer = 0;
  std::string text;  ///< Of kText, and of kError: "READONLY You can't write …".
  std::vector<Reply> list;

  /// The numbers of a list. Errors: kInternal when it is none, or not one of `size` numbers.
  [[nodiscard]] Result<std::vector<std::int64_t>> integers(std::size_t size) const;
};

}  // namespace roadstead::redis
