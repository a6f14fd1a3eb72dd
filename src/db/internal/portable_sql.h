#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roadstead::db::internal {

/// A statement of the portable subset taken apart from the row lock that it ends with
/// (db::WriteSession).
struct PortableSql {
  enum class Lock : std::uint8_t { kNone, kUpdate, kNoKeyUpdate, kKeyShare };
  std::string_view body;  ///< Without the ending.
  Lock lock = Lock::kNone;
};
PortableSql take_apart(std::string_view sql);

/// '?' outside of quotes becomes $1, $2, …
std::string number_placeholders(std::string_view sql);
/// How many '?' stand outside of quotes.
int count_placeholders(std::string_view sql);

}  // namespace roadstead::db::internal
