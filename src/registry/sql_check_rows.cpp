#include <array>

#include "registry/check.h"
#include "registry/internal/check_rows.h"
#include "registry/internal/content.h"
#include "registry/internal/lists.h"
#include "registry/internal/place.h"

namespace roadstead::registry {
namespace {

using internal::RowKind;
using internal::Walk;

constexpr std::size_t kPage = 500;
/// The table `review` is read once for each of these.
constexpr std::size_t kReviewPage = 5'000;
/// Queued content that is named again is let go by the collector's next run; this long after
/// something is wrong.
constexpr std::chrono::hours kQueuedMax{24};

/// What looks at a walk of a check.
template <const Walk& kWalk>
Result<CheckPage> walk_through(db::ReadSession& session, const CheckCursor& after,
                               std::size_t count) {
  return internal::walk(session, kWalk, after, count);
}

// --- Foreign keys forbid these; a file that was damaged or edited may have them all the same.

constexpr Walk kHoldsWithoutBlob{
    RowKind::kRepositoryBlob, true,
    "SELECT rb.repository_id, rb.blob_id, NOT EXISTS (SELECT 1 FROM blob b WHERE b.id = "
    "rb.blob_id) FROM repository_blob rb WHERE (rb.repository_id, rb.blob_id) > (?, ?) "
    "ORDER BY rb.repository_id, rb.blob_id LIMIT ?"};

/// Only when no artifact needs it: the row is then about nothing.
Result<bool> remove_hold_without_blob(db::WriteSession& session, const Disagreement& found) {
  const std::int64_t removed = TRY(session.execute(
      "DELETE FROM repository_blob WHERE repository_id = ? AND blob_id = ? AND NOT EXISTS (SELECT "
      "1 FROM blob b WHERE b.id = blob_id) AND NOT EXISTS (SELECT 1 FROM artifact_blob ab WHERE "
      "ab.repository_id = repository_blob.repository_id AND ab.blob_id = repository_blob.blob_id)",
      {found.first, found.second}));
  return removed > 0;
}

constexpr Walk kEdgesWithoutArtifact{
    RowKind::kArtifactBlob, true,
    "SELECT ab.artifact_id, ab.blob_id, NOT EXISTS (SELECT 1 FROM artifact a WHERE a.id = "
    "ab.artifact_id) FROM artifact_blob ab WHERE (ab.artifact_id, ab.blob_id) > (?, ?) "
    "ORDER BY ab.artifact_id, ab.blob_id LIMIT ?"};

Result<bool> remove_edge_without_artifact(db::WriteSession& session, const Disagreement& found) {
  const auto repository = TRY(session.first(
      "SELECT repository_id FROM artifact_blob WHERE artifact_id = ? AND blob_id = ?",
      {found.first, found.second}, [](const db::Row& row) { return row.id<RepositoryId>(0); }));
  const std::int64_t removed = TRY(session.execute(
      "DELETE FROM artifact_blob WHERE artifact_id = ? AND blob_id = ? AND NOT EXISTS (SELECT 1 "
      "FROM artifact a WHERE a.id = artifact_id)",
      {found.first, found.second}));
  if (repository && removed > 0) {
    TRY(internal::review(session, internal::Review::kRepositoryBlob, *repository, found.second,
                         session.now()));
  }
  return true;
}

constexpr Walk kEdgesWithoutHold{
    RowKind::kArtifactBlob, true,
    "SELECT ab.artifact_id, ab.blob_id, NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE "
    "rb.repository_id = ab.repository_id AND rb.blob_id = ab.blob_id) FROM artifact_blob ab "
    "WHERE (ab.artifact_id, ab.blob_id) > (?, ?) ORDER BY ab.artifact_id, ab.blob_id LIMIT ?"};

Result<bool> restore_hold(db::WriteSession& session, const Disagreement& found) {
  // The artifact could be pushed only while its repository held the blob, so it may have it back.
  TRY(session.execute(
      "INSERT INTO repository_blob (repository_id, blob_id, project_id, leased_until) "
      "SELECT ab.repository_id, ab.blob_id, r.project_id, ? FROM artifact_blob ab JOIN repository "
      "r ON r.id = ab.repository_id JOIN blob b ON b.id = ab.blob_id WHERE ab.artifact_id = ? AND "
      "ab.blob_id = ? AND NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE rb.repository_id = "
      "ab.repository_id AND rb.blob_id = ab.blob_id)",
      {session.now(), found.first, found.second}));
  const auto held = TRY(session.first(
      "SELECT 1 FROM artifact_blob ab JOIN repository_blob rb ON rb.repository_id = "
      "ab.repository_id AND rb.blob_id = ab.blob_id WHERE ab.artifact_id = ? AND ab.blob_id = ?",
      {found.first, found.second}, [](const db::Row&) { return true; }));
  return held.value_or(false);
}

constexpr Walk kChildrenWithoutArtifact{
    RowKind::kArtifactChild, true,
    "SELECT c.artifact_id, c.child_id, NOT EXISTS (SELECT 1 FROM artifact a WHERE a.id = "
    "c.artifact_id) OR NOT EXISTS (SELECT 1 FROM artifact a WHERE a.id = c.child_id) FROM "
    "artifact_child c WHERE (c.artifact_id, c.child_id) > (?, ?) ORDER BY c.artifact_id, "
    "c.child_id LIMIT ?"};

/// An edge of an index that is gone keeps a child for nothing; one to a lost child is kept, as it
/// tells what was lost.
Result<bool> remove_child_without_parent(db::WriteSession& session, const Disagreement& found) {
  const std::int64_t removed = TRY(session.execute(
      "DELETE FROM artifact_child WHERE artifact_id = ? AND child_id = ? AND NOT EXISTS (SELECT 1 "
      "FROM artifact a WHERE a.id = artifact_id)",
      {found.first, found.second}));
  if (removed > 0) {
    TRY(internal::relist_artifact(session, ArtifactId{found.second}));
    Disagreement child{found.second, 0, {}};
    TRY(internal::review_artifact_again(session, child));
  }
  return removed > 0;
}

constexpr Walk kArtifactsWithoutManifest{
    RowKind::kArtifact, false,
    "SELECT a.id, 0, NOT EXISTS (SELECT 1 FROM manifest m WHERE m.id = "
    "a.manifest_id) FROM artifact a WHERE a.id > ? ORDER BY a.id LIMIT ?"};

constexpr Walk kTagsWithoutArtifact{
    RowKind::kTag, false,
    "SELECT t.id, 0, NOT EXISTS (SELECT 1 FROM artifact a WHERE a.id = "
    "t.artifact_id AND a.repository_id = t.repository_id) FROM tag t WHERE "
    "t.id > ? ORDER BY t.id LIMIT ?"};

/// The history knows which content the tag named last.
Result<bool> point_tag_by_history(db::WriteSession& session, const Disagreement& found) {
  const auto artifact = TRY(session.first(
      "SELECT a.id FROM tag t JOIN tag_history h ON h.repository_id = t.repository_id AND h.name = "
      "t.name AND h.operation <> 'delete' JOIN artifact a ON a.repository_id = t.repository_id AND "
      "a.digest = h.digest WHERE t.id = ? AND h.id = (SELECT MAX(l.id) FROM tag_history l WHERE "
      "l.repository_id = t.repository_id AND l.name = t.name)",
      {found.first}, [](const db::Row& row) { return row.id<ArtifactId>(0); }));
  if (!artifact) {
    return false;
  }
  TRY(session.execute("UPDATE tag SET artifact_id = ? WHERE id = ?", {*artifact, found.first}));
  TRY(internal::relist_artifact(session, *artifact));
  return true;
}

// --- Counters, and what follows from other rows.

Result<CheckPage> wrong_artifact_counts(db::ReadSession& session, const CheckCursor& after,
                                        std::size_t count) {
  // A repository being deleted counts none although it still has some.
  constexpr Walk kWalk{RowKind::kRepository, false,
                       "SELECT r.id, 0, r.full_name < '~' AND r.artifact_count <> (SELECT COUNT(*) "
                       "FROM artifact a WHERE a.repository_id = r.id) FROM repository r WHERE "
                       "r.id > ? ORDER BY r.id LIMIT ?"};
  return internal::walk(session, kWalk, after, count);
}

Result<bool> repair_artifact_count(db::WriteSession& session, const Disagreement& found) {
  TRY(internal::lock_repository(session, RepositoryId{found.first}));
  TRY(recount_artifacts(session, RepositoryId{found.first}));
  return true;
}

constexpr Walk kWronglyListedRepositories{
    RowKind::kRepository, false,
    "SELECT r.id, 0, (r.listed = 1) <> (r.artifact_count > 0) FROM repository r WHERE "
    "r.id > ? ORDER BY r.id LIMIT ?"};

Result<bool> repair_listed_repository(db::WriteSession& session, const Disagreement& found) {
  TRY(internal::lock_repository(session, RepositoryId{found.first}));
  TRY(internal::relist_repository(session, RepositoryId{found.first}));
  return true;
}

constexpr Walk kWronglyListedArtifacts{
    RowKind::kArtifact, false,
    "SELECT a.id, 0, r.full_name < '~' AND (a.listed = 1) <> ((EXISTS (SELECT 1 FROM tag t WHERE "
    "t.artifact_id = a.id) OR NOT EXISTS (SELECT 1 FROM artifact_child c WHERE c.child_id = "
    "a.id)) AND (a.subject_digest IS NULL OR NOT EXISTS (SELECT 1 FROM artifact s WHERE "
    "s.repository_id = a.repository_id AND s.digest = a.subject_digest))) FROM artifact a JOIN "
    "repository r ON r.id = a.repository_id WHERE a.id > ? ORDER BY a.id LIMIT ?"};

Result<bool> repair_listed_artifact(db::WriteSession& session, const Disagreement& found) {
  TRY(
      session.lock("SELECT r.id FROM repository r JOIN artifact a ON a.repository_id = r.id WHERE "
                   "a.id = ? FOR NO KEY UPDATE",
                   {found.first}));
  TRY(internal::relist_artifact(session, ArtifactId{found.first}));
  return true;
}

constexpr Walk kUncountedBlobs{
    RowKind::kRepositoryBlob, true,
    "SELECT rb.repository_id, rb.blob_id, EXISTS (SELECT 1 FROM artifact_blob ab WHERE "
    "ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id) AND NOT EXISTS (SELECT 1 "
    "FROM project_blob pb WHERE pb.project_id = rb.project_id AND pb.blob_id = rb.blob_id) FROM "
    "repository_blob rb WHERE (rb.repository_id, rb.blob_id) > (?, ?) ORDER BY "
    "rb.repository_id, rb.blob_id LIMIT ?"};

/// Without a charge: whether the ledger knew of it is seen when the project is recounted.
Result<bool> count_again(db::WriteSession& session, const Disagreement& found) {
  TRY(session.execute(
      "INSERT INTO project_blob (project_id, blob_id) SELECT rb.project_id, rb.blob_id FROM "
      "repository_blob rb WHERE rb.repository_id = ? AND rb.blob_id = ? AND EXISTS (SELECT 1 FROM "
      "artifact_blob ab WHERE ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id) AND "
      "NOT EXISTS (SELECT 1 FROM project_blob pb WHERE pb.project_id = rb.project_id AND "
      "pb.blob_id = rb.blob_id)",
      {found.first, found.second}));
  return true;
}

constexpr Walk kWronglyCountedBlobs{
    RowKind::kProjectBlob, true,
    "SELECT pb.project_id, pb.blob_id, NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE "
    "rb.project_id = pb.project_id AND rb.blob_id = pb.blob_id) FROM project_blob pb WHERE "
    "(pb.project_id, pb.blob_id) > (?, ?) ORDER BY pb.project_id, pb.blob_id LIMIT ?"};

Result<bool> uncount_again(db::WriteSession& session, const Disagreement& found) {
  TRY(session.execute(
      "DELETE FROM project_blob WHERE project_id = ? AND blob_id = ? AND NOT EXISTS (SELECT 1 FROM "
      "repository_blob rb WHERE rb.project_id = project_blob.project_id AND rb.blob_id = "
      "project_blob.blob_id)",
      {found.first, found.second}));
  return true;
}

Result<CheckPage> wrongly_queued_content(db::ReadSession& session, const CheckCursor& after,
                                         std::size_t count) {
  CheckPage page;
  std::string last;
  TRY(session.each(
      "SELECT d.location, d.digest, d.added_at < ? AND EXISTS (SELECT 1 FROM blob b WHERE b.digest "
      "= d.digest AND b.location = d.location) FROM deleting d WHERE d.location > ? ORDER BY "
      "d.location LIMIT ?",
      {session.now() - kQueuedMax, after.text, count}, [&](const db::Row& row) {
        last = row.text(0);
        if (row.boolean(2)) {
          page.found.push_back({0, 0, std::string(row.text(1)), last});
        }
        ++page.rows;
        return true;
      }));
  if (page.rows == count) {
    page.next = CheckCursor{0, 0, last};
  }
  return page;
}

Result<bool> let_go(db::WriteSession& session, const Disagreement& found) {
  TRY(session.execute(
      "DELETE FROM deleting WHERE location = ? AND EXISTS (SELECT 1 FROM blob b WHERE b.digest = "
      "deleting.digest AND b.location = deleting.location)",
      {found.detail}));
  return true;
}

constexpr Walk kContentOfNoBlob{
    RowKind::kBlob, false,
    "SELECT c.blob_id, 0, NOT EXISTS (SELECT 1 FROM blob b WHERE b.id = "
    "c.blob_id AND b.location = 'inline') FROM blob_content c WHERE c.blob_id > "
    "? ORDER BY c.blob_id LIMIT ?"};

/// Only when the blob lies elsewhere: without its row nobody knows what the content was.
Result<bool> remove_other_content(db::WriteSession& session, const Disagreement& found) {
  const std::int64_t removed = TRY(session.execute(
      "DELETE FROM blob_content WHERE blob_id = ? AND EXISTS (SELECT 1 FROM blob b WHERE b.id = "
      "blob_id AND b.location <> 'inline')",
      {found.first}));
  return removed > 0;
}

constexpr std::array kChecks{
    RowCheck{"content_without_blob", kPage, walk_through<kContentOfNoBlob>, remove_other_content},
    RowCheck{"repository_blob_without_blob", kPage, walk_through<kHoldsWithoutBlob>,
             remove_hold_without_blob},
    RowCheck{"edge_without_artifact", kPage, walk_through<kEdgesWithoutArtifact>,
             remove_edge_without_artifact},
    RowCheck{"edge_without_repository_blob", kPage, walk_through<kEdgesWithoutHold>, restore_hold},
    RowCheck{"child_without_artifact", kPage, walk_through<kChildrenWithoutArtifact>,
             remove_child_without_parent},
    RowCheck{"artifact_without_manifest", kPage, walk_through<kArtifactsWithoutManifest>, nullptr},
    RowCheck{"tag_without_artifact", kPage, walk_through<kTagsWithoutArtifact>,
             point_tag_by_history},
    RowCheck{"artifact_count", kPage, wrong_artifact_counts, repair_artifact_count},
    RowCheck{"repository_listed", kPage, walk_through<kWronglyListedRepositories>,
             repair_listed_repository},
    RowCheck{"artifact_listed", kPage, walk_through<kWronglyListedArtifacts>,
             repair_listed_artifact},
    RowCheck{"project_blob_missing", kPage, walk_through<kUncountedBlobs>, count_again},
    RowCheck{"project_blob_extra", kPage, walk_through<kWronglyCountedBlobs>, uncount_again},
    RowCheck{"deleting_live", kPage, wrongly_queued_content, let_go},
    RowCheck{"repository_blob_unreviewed", kReviewPage, internal::unreviewed_holds,
             internal::review_hold_again},
    RowCheck{"artifact_unreviewed", kReviewPage, internal::unreviewed_artifacts,
             internal::review_artifact_again},
    RowCheck{"blob_unreviewed", kReviewPage, internal::unreviewed_blobs,
             internal::review_blob_again},
    RowCheck{"manifest_unreviewed", kReviewPage, internal::unreviewed_manifests,
             internal::review_manifest_again},
};

}  // namespace

std::span<const RowCheck> row_checks() {
  return kChecks;
}

}  // namespace roadstead::registry
