#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/manifest.h"
#include "model/reference.h"
#include "registry/internal/content.h"
#include "registry/options.h"

namespace roadstead::registry::internal {

/// Whose trash: names are used again by other projects, ids never.
struct TrashPlace {
  ProjectId project;
  const model::RepositoryName& repository;
};

/// The newest deletion of an artifact, with what it takes to bring it back.
struct Trashed {
  model::Digest digest;
  std::string bytes;
  std::string media_type;
  std::string extra_attributes;
  std::vector<std::string> tags;
};
/// Nothing when it was not deleted here, or its manifest is gone.
Result<std::optional<Trashed>> find_trashed(db::ReadSession& session, const TrashPlace& place,
                                            const model::Digest& digest);
/// Digests of those that went because this one did; at most `count`.
Result<std::vector<model::Digest>> taken_along(db::ReadSession& session, const TrashPlace& place,
                                               const model::Digest& digest, std::size_t count);
/// All deletions of it.
Result<void> forget_trashed(db::WriteSession& session, const TrashPlace& place,
                            const model::Digest& digest);

/// Digests of what the manifest needs and that is nowhere any more; at most one is enough to know.
Result<std::optional<model::Digest>> find_lost_blob(db::ReadSession& session,
                                                    const model::Manifest& manifest);
/// Lets the repository read the manifest's blobs again, where a deletion of the repository took
/// them from it. Blobs that need not be in a registry are left out: nothing tells that this project
/// ever had them. Errors: kDenied + kQuota.
Result<void> relink_blobs(db::WriteSession& session, const Options& options, const Holder& holder,
                          const model::Manifest& manifest);

/// What the tag names in the repository, if anything.
Result<std::optional<model::Digest>> find_tagged(db::ReadSession& session, RepositoryId repository,
                                                 std::string_view tag);
/// What it named when it was deleted last; nothing when its last change was another.
Result<std::optional<model::Digest>> find_deleted_tag(db::ReadSession& session,
                                                      RepositoryId repository,
                                                      std::string_view tag);
/// Whether it ever named that, as far as its history goes back.
Result<bool> ever_named(db::ReadSession& session, RepositoryId repository, std::string_view tag,
                        const model::Digest& digest);
Result<std::optional<ArtifactId>> find_present(db::ReadSession& session, RepositoryId repository,
                                               const model::Digest& digest);

}  // namespace roadstead::registry::internal
