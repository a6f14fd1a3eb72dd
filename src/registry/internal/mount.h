#pragma once

#include <optional>

#include "base/result.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/internal/content.h"

namespace roadstead::registry::internal {

/// The blob, when `from` holds it and the caller may pull there. A condemned row counts: its
/// content is still there.
Result<std::optional<Held>> find_source(db::ReadSession& session, const Caller& caller,
                                        const model::RepositoryName& from,
                                        const model::Digest& digest);

/// The blob, when some repository holds it that the caller may pull from. Looks at a bounded number
/// of places: those a token names, the projects the user is a member of, some others.
Result<std::optional<Held>> find_any_source(db::ReadSession& session, const Caller& caller,
                                            const model::Digest& digest);

}  // namespace roadstead::registry::internal
