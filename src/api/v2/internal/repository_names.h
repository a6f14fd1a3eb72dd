#pragma once

#include <string>

#include "api/operation/operation.h"
#include "base/result.h"
#include "db/database.h"
#include "model/reference.h"
#include "registry/listing.h"

namespace roadstead::api::internal {

/// "project/path" of an operation on a repository. A name that cannot exist is told as one that
/// does not. Errors: kNotFound + kRepository.
Result<model::RepositoryName> repository_name_of(const Call& call);
/// Its row. Errors: as above.
Result<registry::RepositoryRow> repository_of(const Call& call, db::ReadSession& session);
Error no_such_repository(std::string_view name);

}  // namespace roadstead::api::internal
