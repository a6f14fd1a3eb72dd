#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/list_query.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/options.h"

namespace roadstead::registry {

/// An artifact that was deleted and that the collector has not forgotten yet.
struct TrashedArtifact {
  std::int64_t id = 0;
  std::string repository;  ///< "project/path"; may be deleted itself.
  std::string digest;
  std::string media_type;         ///< Of the manifest.
  std::vector<std::string> tags;  ///< It had.
  std::string operator_name;      ///< Who deleted it.
  Time op_time{};
  std::string subject;  ///< Digest of the artifact whose deletion took it along, or empty.
};
inline constexpr std::int64_t kTrashCountMax = 10'000;

/// What was deleted from a project and is not there again, newest first; of one repository when
/// `repository` is not empty. `total` stops counting at kTrashCountMax.
Result<auth::Page<TrashedArtifact>> list_trash(db::ReadSession& session, ProjectId project,
                                               std::string_view repository,
                                               const auth::ListQuery& query);

struct RestoreChoice {
  /// Take tags back that name something else by now; they are left alone otherwise.
  bool move_tags = false;
};
struct RestoredArtifact {
  std::string digest;
  std::vector<std::string> tags;       ///< That name it now.
  std::vector<std::string> kept_tags;  ///< It had, and which name something else.
  std::vector<std::string> along;      ///< Digests of children and referrers that came back too.
};

/// Undoes a deletion in one transaction: the artifact, the children of an index that went with it,
/// the referrers that its deletion took along, its tags, the repository where that is gone; usage
/// and limits as for a push. Errors: as permit(); kConflict + kArtifact when it is there;
/// kNotFound + kArtifact when it is not in this project's trash; kPrecondition + kArtifact when
/// content it needs was collected, or when it is more than kRestoreMax manifests; kDenied + kQuota.
Result<RestoredArtifact> restore_artifact(db::Database& database, const Options& options,
                                          const Caller& caller,
                                          const model::RepositoryName& repository,
                                          const model::Digest& digest, const RestoreChoice& choice);
inline constexpr std::size_t kRestoreMax = 200;

struct TagChoice {
  /// What it is to name: something that it named before; absent: what it named when it was deleted.
  std::optional<model::Digest> digest;
  bool move = false;  ///< Although it names something else now.
};
/// Gives a tag back what it named, with the artifact when that was deleted too. Errors: as above;
/// kNotFound + kTag when it never named that, or was not deleted; kConflict + kTag when it names
/// something else and may not move.
Result<RestoredArtifact> restore_tag(db::Database& database, const Options& options,
                                     const Caller& caller, const model::RepositoryName& repository,
                                     const model::Tag& tag, const TagChoice& choice);

}  // namespace roadstead::registry
