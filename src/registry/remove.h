#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/options.h"

namespace roadstead::registry {

/// Removes an artifact with its tags; its untagged, parentless referrers go with it, and so do the
/// untagged children of an index that have no other parent and no live lease. Content is collected
/// later; the project's usage falls at once. Errors: as permit(); kNotFound + kManifest;
/// kPrecondition + kManifest while a live index has it as a child (`detail`: digest of the index).
Result<void> delete_manifest(db::Database& database, const Options& options, const Caller& caller,
                             const model::RepositoryName& repository, const model::Digest& digest);

/// As above, for a tag or a digest: the artifact behind the tag goes, with all its tags.
Result<void> delete_artifact(db::Database& database, const Options& options, const Caller& caller,
                             const model::RepositoryName& repository,
                             const model::Reference& reference);

/// Removes the tag only. Errors: as permit(); kNotFound + kTag.
Result<void> delete_tag(db::Database& database, const Options& options, const Caller& caller,
                        const model::RepositoryName& repository, const model::Tag& tag);

/// Takes the blob out of this repository at once, whatever its lease. Errors: as permit();
/// kNotFound + kBlob; kUnsupported + kBlob while an artifact of this repository refers to it.
Result<void> delete_blob(db::Database& database, const Options& options, const Caller& caller,
                         const model::RepositoryName& repository, const model::Digest& digest);

/// Removes the repository with everything in it. It is invisible and its name is free after the
/// first transaction; what a crash leaves is finished by finish_deletions(). Errors: as permit();
/// kNotFound + kRepository.
Result<void> delete_repository(db::Database& database, const Options& options, const Caller& caller,
                               const model::RepositoryName& repository);

/// Goes on with deletions of repositories that were interrupted; at most `count` of them.
Result<void> finish_deletions(db::Database& database, const Options& options, std::size_t count);

/// For the deletion of a project, in this order: has_repositories() says no; empty_project()
/// removes what no API shows (leases, open uploads, interrupted deletions), in as many transactions
/// as it takes; then, in the transaction that removes the project, has_repositories() again and
/// remove_invisible(), which fails with kUnavailable + kProject when somebody pushed meanwhile.
Result<void> empty_project(db::Database& database, ProjectId project);
Result<void> remove_invisible(db::WriteSession& session, ProjectId project);
/// Whether the project has a repository that an API shows.
Result<bool> has_repositories(db::ReadSession& session, ProjectId project);

}  // namespace roadstead::registry
