#pragma once

#include <string_view>

#include "auth/counted_list.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::registry::internal {

/// Repositories with artifacts, by creation_time and id.
auth::CountedList all_repositories();
auth::CountedList repositories_of(ProjectId project);
/// The same by full_name, and by name.
auth::CountedList all_repositories_by_name();
auth::CountedList repositories_by_name_of(ProjectId project);
/// By push_time and id, those that list_artifacts() shows when nothing else is asked for.
auth::CountedList artifacts_of(RepositoryId repository);

/// Each compares `listed` with the rows that decide it and corrects the row and its lists. To be
/// called in the transaction that changes such rows, after the change.

/// Decided by artifact_count.
Result<void> relist_repository(db::WriteSession& session, RepositoryId repository);
/// Decided by the artifact's tags, its parents, and whether its subject is here.
Result<void> relist_artifact(db::WriteSession& session, ArtifactId artifact);
/// All artifacts whose subject has just come or gone.
Result<void> relist_referrers(db::WriteSession& session, RepositoryId repository,
                              std::string_view digest);
/// Before its row goes.
Result<void> unlist_artifact(db::WriteSession& session, ArtifactId artifact);

}  // namespace roadstead::registry::internal
