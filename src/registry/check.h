#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/counted_list.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/manifest.h"
#include "storage/blob_store.h"

namespace roadstead::registry {

/// What the checker and the scrubber ask of the registry's rows. All of it runs beside pushes and
/// pulls: walks go on behind a cursor, a page a session, and a page is judged as its session sees
/// it.

/// Where a walk over rows goes on.
struct CheckCursor {
  std::int64_t first = 0;
  std::int64_t second = 0;
  std::string text;
};

/// Rows that contradict others.
struct Disagreement {
  std::int64_t first = 0;  ///< Key of the row; what it is, the check knows.
  std::int64_t second = 0;
  std::string object;       ///< For people: names and digests.
  std::string detail = {};  ///< What is wrong, beyond the kind.
};
struct CheckPage {
  std::vector<Disagreement> found;
  std::size_t rows = 0;  ///< Looked at.
  std::optional<CheckCursor> next;
};

/// One way in which rows can contradict each other.
struct RowCheck {
  std::string_view kind;  ///< Stable: scripts know it (docs/fsck.md).
  std::size_t page;       ///< Rows that one session should look at.
  Result<CheckPage> (*find)(db::ReadSession& session, const CheckCursor& after, std::size_t count);
  /// Takes from what is left what is right, and changes nothing that is right already. False when
  /// that would lose something or cannot be known; null when it never can.
  Result<bool> (*repair)(db::WriteSession& session, const Disagreement& found);
};
/// In the order in which they are to be repaired: later ones rest on earlier ones.
std::span<const RowCheck> row_checks();

/// What a project's content comes to, and what its quota says about it.
struct Usage {
  std::string project;       ///< Its name.
  std::int64_t counted = 0;  ///< quota.used with the ledger's deltas.
  std::int64_t actual = 0;   ///< Distinct blobs that it counts, and its distinct manifests.
};
Result<Usage> recount_usage(db::ReadSession& session, ProjectId project);
/// Appends the difference to the ledger. As every other writer keeps the difference as it is, the
/// correction is exact whatever happened since the recount.
Result<void> correct_usage(db::WriteSession& session, ProjectId project, const Usage& usage);

/// Sets artifact_count to what the rows say, and the repository's place in the lists with it.
Result<void> recount_artifacts(db::WriteSession& session, RepositoryId repository);

/// Counted lists.
std::vector<auth::CountedList> counted_lists();
std::vector<auth::CountedList> counted_lists_of(ProjectId project);
auth::CountedList counted_list_of(RepositoryId repository);
Result<std::vector<ProjectId>> projects_after(db::ReadSession& session, ProjectId after,
                                              std::size_t count);
Result<std::vector<RepositoryId>> repositories_after(db::ReadSession& session, RepositoryId after,
                                                     std::size_t count);

/// A blob and what is known about its bytes.
struct BlobRow {
  BlobId id;
  std::string digest;
  std::int64_t size = 0;
  storage::Location location;
  std::optional<Time> verified_at;
  std::optional<Time> damaged_at;
};
Result<std::vector<BlobRow>> blobs_after(db::ReadSession& session, BlobId after, std::size_t count);
/// Not verified since `before`, those that wait longest first, behind `last` of the page before.
Result<std::vector<BlobRow>> blobs_to_verify(db::ReadSession& session, Time before,
                                             const std::optional<BlobRow>& last, std::size_t count);
/// When the blob was verified that waits longest; nothing when there are no blobs.
Result<std::optional<Time>> oldest_verified(db::ReadSession& session);
Result<std::optional<BlobRow>> find_blob_row(db::ReadSession& session, std::string_view digest);
/// Whether the content is a row itself, which the store knows nothing of.
[[nodiscard]] bool is_inline(const BlobRow& blob);
/// The content of such a blob.
Result<std::optional<std::string>> inline_content(db::ReadSession& session, const BlobRow& blob);

/// To be called under the digest's DigestLocks entry. False when the row is no longer what `seen`
/// was: then what was found out about it is out of date. Damage is told as an event.
Result<bool> mark_damaged(db::WriteSession& session, const BlobRow& seen, std::string_view why);
/// The bytes were read and are what the digest says; a mark as damaged goes.
Result<bool> mark_verified(db::WriteSession& session, const BlobRow& seen);

/// Whether a blob lies there, or the collector is about to remove what does.
Result<bool> is_accounted_for(db::ReadSession& session, std::string_view digest,
                              const storage::Location& location);
/// Hands content that no row names to the collector, which looks again and removes it, not before
/// `delay` has passed. Under the digest's lock; where other processes publish too, the delay must
/// be longer than it takes them to name what they have published.
Result<void> queue_removal(db::WriteSession& session, std::string_view digest,
                           const storage::Location& location, std::chrono::seconds delay = {});
/// Makes the row of content that was lost while its bytes stayed. Under the digest's lock.
Result<void> adopt_blob(db::WriteSession& session, std::string_view digest, std::int64_t size,
                        const storage::Location& location);

/// Tokens of open uploads behind `after`, by id.
struct OpenUpload {
  std::string id;
  std::string token;
};
Result<std::vector<OpenUpload>> uploads_after(db::ReadSession& session, std::string_view after,
                                              std::size_t count);

struct StoredManifest {
  ManifestId id;
  std::string digest;
  std::string media_type;
  std::int64_t size = 0;
  std::string bytes;
};
Result<std::vector<StoredManifest>> manifests_after(db::ReadSession& session, ManifestId after,
                                                    std::size_t count);

/// An edge that a manifest's bytes demand of an artifact and that is not there.
struct MissingEdge {
  ArtifactId artifact;
  std::string object;  ///< "p/app@sha256:… -> sha256:…"
  std::string digest;  ///< Of what it leads to.
  bool to_child = false;
  bool target_exists = false;   ///< There is a row that it can lead to.
  std::int64_t position = 0;    ///< Of a child.
  std::string descriptor = {};  ///< Of a child, JSON.
};
/// Of up to `count` artifacts behind `after` that the manifest is. An index may be sparse, so that
/// a child which is not here is no finding when `sparse`; foreign layers never are.
struct EdgePage {
  std::vector<MissingEdge> missing;
  std::optional<ArtifactId> next;
};
struct EdgeQuestion {
  ManifestId manifest;
  const model::Manifest& content;
  bool sparse = false;
};
Result<EdgePage> missing_edges(db::ReadSession& session, const EdgeQuestion& question,
                               ArtifactId after, std::size_t count);
/// False when there is nothing that it could lead to.
Result<bool> restore_edge(db::WriteSession& session, const MissingEdge& edge);

}  // namespace roadstead::registry
