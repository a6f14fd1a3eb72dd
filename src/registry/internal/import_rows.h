#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/import.h"
#include "registry/internal/content.h"

namespace roadstead::registry::internal {

enum class Claimed : std::uint8_t { kPresent, kNew };
/// The repository may read the blob from now on; its row is made when there is none. No lease: the
/// edge that keeps it comes in the same transaction. Errors: kInvalid + kBlob when the row is
/// marked as damaged.
Result<Claimed> claim_blob(db::WriteSession& session, const Holder& holder,
                           const ImportedBlob& blob);

/// Nothing while it has no row.
Result<std::optional<RepositoryId>> find_repository(db::ReadSession& session, ProjectId project,
                                                    const model::RepositoryName& repository);

/// What a tag should name here, and what it names now, if anything.
struct TagTarget {
  ArtifactId artifact;
  std::optional<std::string> named;
};
/// Nothing when the repository has no such artifact.
Result<std::optional<TagTarget>> find_tag_target(db::ReadSession& session, RepositoryId repository,
                                                 const model::Tag& tag,
                                                 const model::Digest& digest);

}  // namespace roadstead::registry::internal
