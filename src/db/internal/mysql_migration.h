#pragma once

#include <span>

#include "base/result.h"
#include "db/migration.h"
#include "db/server.h"

namespace roadstead::db::internal {

/// As migrate(), on MySQL or MariaDB, where a statement that defines something commits by itself:
/// schema_progress tells how far a migration got, so that one whose process was killed goes on at
/// the statement it ended in. Takes a lock of the server's that all processes take, and waits for
/// it for two minutes. Errors: as migrate(), and kUnavailable when the lock is not given by then.
Result<int> migrate_mysql(const ServerOptions& options, std::span<const Migration> migrations);

}  // namespace roadstead::db::internal
