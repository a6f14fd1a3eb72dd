#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/counted_list.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::project::internal {

/// By name.
auth::CountedList all_projects();
auth::CountedList public_projects();

/// Names on a page by name of the public projects and of the caller's own that are not.
struct NamesPage {
  std::int64_t total = 0;
  std::vector<std::string> names;
};
/// Nothing for an account with too many projects of its own to look through.
Result<std::optional<NamesPage>> visible_names(db::ReadSession& session, UserId user,
                                               const auth::ListQuery& query,
                                               auth::Direction direction);

/// After the project's row was made, and before it goes.
Result<void> list_project(db::WriteSession& session, ProjectId id);
Result<void> unlist_project(db::WriteSession& session, ProjectId id);
/// Changes who may read the project, and the list of public projects with it.
Result<void> set_public(db::WriteSession& session, ProjectId id, bool is_public);

}  // namespace roadstead::project::internal
