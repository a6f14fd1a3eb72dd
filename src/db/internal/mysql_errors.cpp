#include "db/internal/mysql_errors.h"

#include <string>

#include <errmsg.h>
#include <fmt/format.h>
#include <mysqld_error.h>

namespace roadstead::db::internal {
namespace {

// Numbers that only one of the two engines has, or that the library's header does not name.
constexpr unsigned kMariadbKilled = 1927;
constexpr unsigned kMariadbStatementTime = 1969;
constexpr unsigned kMysqlStatementTime = 3024;
constexpr unsigned kMysqlServerIsNotAvailable = 3168;
constexpr unsigned kMysqlCannotConvert = 3854;
constexpr unsigned kMysqlIdleTooLong = 4031;
constexpr unsigned kReadOnlyMode = 1836;

bool is_violation(unsigned number) {
  switch (number) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_NO_REFERENCED_ROW:
    case ER_NO_REFERENCED_ROW_2:
    case ER_ROW_IS_REFERENCED:
    case ER_ROW_IS_REFERENCED_2:
      return true;
    default:
      return false;
  }
}

/// The server shuts down, has become a replica, has forgotten what we prepared (a proxy), or there
/// is no server.
bool is_lost(unsigned number) {
  switch (number) {
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_UNKNOWN_COM_ERROR:  // A node of a cluster that is not ready.
    case ER_OPTION_PREVENTS_STATEMENT:
    case ER_UNKNOWN_STMT_HANDLER:
    case ER_NEED_REPREPARE:
    case ER_NET_PACKET_TOO_LARGE:  // The server hangs up after it.
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case kReadOnlyMode:
    case kMariadbKilled:
    case kMysqlServerIsNotAvailable:
    case kMysqlIdleTooLong:
      return true;
    default:
      // The library's own: nothing of what it says leaves a connection that can be used.
      return (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) ||
             (number >= 5000 && number < 5100);
  }
}

bool is_shortage(unsigned number) {
  switch (number) {
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_QUERY_INTERRUPTED:
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
    case ER_OUTOFMEMORY:
    case ER_OUT_OF_RESOURCES:
    case ER_LOCK_TABLE_FULL:
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
    case kMysqlStatementTime:
    case kMariadbStatementTime:
      return true;
    default:
      return false;
  }
}

/// Between the last pair of these before the end; "" without them.
std::string_view last_quoted(std::string_view text, char quote) {
  const std::size_t end = text.rfind(quote);
  const std::size_t begin =
      end == std::string_view::npos || end == 0 ? end : text.rfind(quote, end - 1);
  return begin == std::string_view::npos || begin == end ? std::string_view()
                                                         : text.substr(begin + 1, end - begin - 1);
}

/// "Duplicate entry '…' for key 'tag_name'" (with the table before a dot on MySQL), or "Cannot add
/// or update a child row: a foreign key constraint fails ("db"."tag", CONSTRAINT "tag_ibfk_1" …",
/// with one kind of quotes or the other.
std::string violated(std::string_view message) {
  constexpr std::string_view kConstraint = "CONSTRAINT ";
  if (const std::size_t at = message.find(kConstraint); at != std::string_view::npos) {
    const std::string_view name = message.substr(at + kConstraint.size() + 1);
    return std::string(name.substr(0, name.find_first_of("`\"")));
  }
  const std::string_view name = last_quoted(message, '\'');
  const std::size_t dot = name.rfind('.');
  return std::string(dot == std::string_view::npos ? name : name.substr(dot + 1));
}

}  // namespace

MysqlMeaning mysql_meaning(unsigned number, std::string_view message) {
  if (number == ER_LOCK_DEADLOCK || number == ER_LOCK_WAIT_TIMEOUT) {
    return {Failure::kConflict, Code::kUnavailable};
  }
  if (is_violation(number)) {
    return {Failure::kViolation, Code::kConflict};
  }
  if (is_lost(number)) {
    return {Failure::kLost, Code::kUnavailable};
  }
  if (is_shortage(number)) {
    return {Failure::kOther, Code::kUnavailable};
  }
  const bool bad_text =
      number == ER_TRUNCATED_WRONG_VALUE_FOR_FIELD && message.starts_with("Incorrect string value");
  if (bad_text || number == ER_DATA_TOO_LONG || number == ER_INVALID_CHARACTER_STRING ||
      number == kMysqlCannotConvert) {
    return {Failure::kOther, Code::kInvalid};
  }
  return {Failure::kOther, Code::kInternal};
}

Error mysql_failure(const MysqlMeaning& meaning, unsigned number, std::string_view message) {
  Error error{meaning.code, Subject::kDatabase, {}, {}};
  if (meaning.code == Code::kConflict) {
    error.detail = violated(message);
    error.message = fmt::format("database: {} is violated ({})", error.detail, number);
  } else if (meaning.code == Code::kInvalid) {
    error.message = fmt::format("database: text that it cannot hold ({})", number);
  } else {
    error.message = fmt::format("database: {} ({})", message.substr(0, message.find('\n')), number);
  }
  return error;
}

}  // namespace roadstead::db::internal
