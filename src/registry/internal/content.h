#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "registry/internal/place.h"
#include "registry/options.h"
#include "storage/blob_store.h"

namespace roadstead::registry::internal {

/// What a review row asks the collector to look at, by the `kind` it is stored under.
enum class Review {
  kRepositoryBlob,  ///< object: blob. Has the repository an edge to it, or a live lease?
  kArtifact,        ///< object: artifact. Tag, parent, lease?
  kBlob,            ///< object: blob, repository 0. Does any repository still hold it?
  kManifest,        ///< object: manifest, repository 0. Is it an artifact anywhere?
  kRepository,      ///< object: repository. A deletion to finish, or an empty row to drop.
};
std::string_view to_string(Review kind);
Result<void> review(db::WriteSession& session, Review kind, RepositoryId repository,
                    std::int64_t object, Time due);

/// One blob that a repository holds.
struct Held {
  BlobId blob;
  std::int64_t size = 0;
};

/// Content whose digest was verified: published by the store, or to become a row itself.
struct Content {
  std::uint64_t size = 0;
  storage::Location location;
  std::string_view bytes{};  ///< Of kInlineLocation only.
  /// The location is that of this upload only (storage::StoreTraits).
  bool own_location = false;
};

/// The blob's row, made when there is none, with its content when that is a row too. Content that
/// is a row already, or is a file and could be a row, stays what it is. When the row names another
/// file than this one, it names this one from now on, as that was looked at last, and the other is
/// queued for removal; where each upload has a location of its own, equal content that came first
/// stays, and this one is queued. A mark as damaged goes: what was uploaded is good, and takes the
/// place of what was there.
Result<Held> ensure_blob(db::WriteSession& session, const model::Digest& digest,
                         const Content& content);
/// Removes the row of a blob that no repository holds; in the same transaction its content goes
/// too, or its bytes are queued for removal from the store. Nothing when there is no such row.
struct Dropped {
  std::string digest;
  std::int64_t size = 0;
};
Result<std::optional<Dropped>> drop_blob(db::WriteSession& session, BlobId blob);
/// The content of a blob that is a row.
Result<std::optional<std::string>> read_content(db::ReadSession& session, BlobId blob);
std::optional<Held> held_from(const db::Row& row, int first_column);
/// By digest, whoever holds it.
Result<std::optional<Held>> find_held(db::ReadSession& session, const model::Digest& digest);
/// As above, but nothing when the content is marked as damaged.
Result<std::optional<Held>> find_intact(db::ReadSession& session, const model::Digest& digest);
/// Whether the content is marked as damaged.
Result<bool> is_damaged(db::ReadSession& session, const model::Digest& digest);

/// Which repository of which project.
struct Holder {
  ProjectId project;
  RepositoryId repository;
};

/// Lets the repository read the blob until the lease ends at least: inserts or revives the row,
/// moves the lease later, appends the review row, and counts the content in the project. Errors:
/// kDenied + kQuota.
Result<void> lease_blob(db::WriteSession& session, const Options& options, const Holder& holder,
                        const Held& held);

/// Content that an upload brings, and where to.
struct Arrival {
  const Landing& landing;
  const model::Digest& digest;
  const Content& content;
};
/// ensure_blob() and lease_blob().
Result<void> bring_blob(db::WriteSession& session, const Options& options, ProjectId project,
                        const Arrival& arrival);

/// Counts content that is new to the project. Errors: kDenied + kQuota.
Result<void> count_blob(db::WriteSession& session, ProjectId project, const Held& held);
/// Uncounts a blob that no artifact of the project refers to any more. With `leases`, a live lease
/// of a repository keeps it counted too.
Result<void> uncount_blob(db::WriteSession& session, ProjectId project, BlobId blob, bool leases);

}  // namespace roadstead::registry::internal
