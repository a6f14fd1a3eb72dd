#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roadstead::db::internal {

/// A statement of the portable subset taken apart from the row lock that it ends with
/// (db::WriteSession).
struct PortableSql {
  enum class Lock : std::uint8_t { kNone, kUpdate, kUpdateFree, kNoKeyUpdate, kKeyShare };
  std::string_view body;  ///< Without the ending.
  Lock lock = Lock::kNone;
};
PortableSql take_apart(std::string_view sql);

/// '?' outside of quotes becomes $1, $2, …
std::string number_placeholders(std::string_view sql);
/// How many '?' stand outside of quotes.
int count_placeholders(std::string_view sql);

/// A statement as MySQL and MariaDB take it.
struct MysqlSql {
  std::string text;
  std::vector<std::uint16_t> order;  ///< For each placeholder in `text` the parameter it takes.
  std::size_t parameters = 0;        ///< Placeholders in the portable text.
};
/// The row lock and /* by INDEX */ in the engine's words; names of ours that are words of its
/// language in quotes (ANSI_QUOTES); comparisons of rows, (a, b) > (?, ?), which it answers by
/// walking the whole index, as the ranges that they are: ((a = ? AND b > ?) OR a > ?).
MysqlSql render_mysql(std::string_view sql);

}  // namespace roadstead::db::internal
