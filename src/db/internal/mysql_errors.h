#pragma once

#include <string_view>

#include "base/error.h"
#include "db/internal/server_connection.h"

namespace roadstead::db::internal {

/// What the number of an error says of the transaction and to the caller.
struct MysqlMeaning {
  Failure failure = Failure::kOther;
  Code code = Code::kInternal;
};
MysqlMeaning mysql_meaning(unsigned number, std::string_view message);

/// The error for the caller. The server's own words are left out where they quote data; `detail` is
/// the name of the index or foreign key that is violated.
Error mysql_failure(const MysqlMeaning& meaning, unsigned number, std::string_view message);

}  // namespace roadstead::db::internal
