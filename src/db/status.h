#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "db/copy.h"

namespace roadstead::db {

/// What somebody who is about to change a program's version wants to know of its database.
struct DatabaseStatus {
  std::string engine;                ///< "PostgreSQL 15.4", as the server tells.
  int version = 0;                   ///< Of the schema; 0: there is none.
  bool too_new = false;              ///< Newer than this program, or half a copy.
  std::vector<std::string> pending;  ///< Migrations that this program would apply: "7 replicas".
};

/// Reads it from a database that was opened without bringing its schema up to date.
Result<DatabaseStatus> read_status(const CopyEnd& end);

}  // namespace roadstead::db
