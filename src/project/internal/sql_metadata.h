#pragma once

#include "base/result.h"
#include "db/database.h"
#include "project/project.h"

namespace roadstead::project::internal {

/// Adds and replaces rows; `changes` were checked.
Result<void> put_metadata(db::WriteSession& session, ProjectId id, const Metadata& changes);
bool is_public(const Metadata& metadata);

}  // namespace roadstead::project::internal
