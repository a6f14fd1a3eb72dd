#include <map>
#include <utility>

#include "registry/internal/check_rows.h"
#include "registry/internal/content.h"

namespace roadstead::registry::internal {
namespace {

/// What waits for a question to the collector: the walk finds what nothing keeps, and of that only
/// what no row of `review` asks about stays. `review` has no index by object, which every push
/// would pay for: it is read once for a page that has any candidates.
Result<CheckPage> unreviewed(db::ReadSession& session, const Walk& candidates, Review kind,
                             const CheckCursor& after, std::size_t count) {
  CheckPage page = TRY(walk(session, candidates, after, count));
  if (page.found.empty()) {
    return page;
  }
  std::map<std::pair<std::int64_t, std::int64_t>, Disagreement> left;
  for (Disagreement& found : page.found) {
    // Kinds whose key is one number are asked about by it alone.
    const std::pair<std::int64_t, std::int64_t> key = candidates.pairs
                                                          ? std::pair(found.first, found.second)
                                                          : std::pair(std::int64_t{0}, found.first);
    left.emplace(key, std::move(found));
  }
  page.found.clear();
  TRY(session.each("SELECT repository_id, object_id FROM review WHERE kind = ?", {to_string(kind)},
                   [&](const db::Row& row) {
                     const std::int64_t repository = candidates.pairs ? row.integer(0) : 0;
                     left.erase({repository, row.integer(1)});
                     return !left.empty();
                   }));
  for (auto& [key, found] : left) {
    page.found.push_back(std::move(found));
  }
  return page;
}

}  // namespace

Result<CheckPage> unreviewed_holds(db::ReadSession& session, const CheckCursor& after,
                                   std::size_t count) {
  constexpr Walk kWalk{
      RowKind::kRepositoryBlob, true,
      "SELECT rb.repository_id, rb.blob_id, NOT EXISTS (SELECT 1 FROM artifact_blob ab WHERE "
      "ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id) FROM repository_blob rb "
      "WHERE (rb.repository_id, rb.blob_id) > (?, ?) ORDER BY rb.repository_id, rb.blob_id "
      "LIMIT ?"};
  return unreviewed(session, kWalk, Review::kRepositoryBlob, after, count);
}

Result<CheckPage> unreviewed_artifacts(db::ReadSession& session, const CheckCursor& after,
                                       std::size_t count) {
  constexpr Walk kWalk{RowKind::kArtifact, false,
                       "SELECT id, 0, condemned_at IS NOT NULL FROM artifact WHERE id > ? "
                       "ORDER BY id LIMIT ?"};
  return unreviewed(session, kWalk, Review::kArtifact, after, count);
}

Result<CheckPage> unreviewed_blobs(db::ReadSession& session, const CheckCursor& after,
                                   std::size_t count) {
  constexpr Walk kWalk{RowKind::kBlob, false,
                       "SELECT b.id, 0, NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE "
                       "rb.blob_id = b.id) FROM blob b WHERE b.id > ? ORDER BY b.id LIMIT ?"};
  return unreviewed(session, kWalk, Review::kBlob, after, count);
}

Result<CheckPage> unreviewed_manifests(db::ReadSession& session, const CheckCursor& after,
                                       std::size_t count) {
  // What can be restored is asked about when that ends.
  constexpr Walk kWalk{
      RowKind::kManifest, false,
      "SELECT m.id, 0, NOT EXISTS (SELECT 1 FROM artifact a WHERE a.manifest_id = m.id) AND NOT "
      "EXISTS (SELECT 1 FROM artifact_trash t WHERE t.manifest_id = m.id) FROM manifest m WHERE "
      "m.id > ? ORDER BY m.id LIMIT ?"};
  return unreviewed(session, kWalk, Review::kManifest, after, count);
}

Result<bool> review_hold_again(db::WriteSession& session, const Disagreement& found) {
  const auto until = TRY(session.first(
      "SELECT leased_until FROM repository_blob WHERE repository_id = ? AND blob_id = ?",
      {found.first, found.second}, [](const db::Row& row) { return row.time(0); }));
  if (until) {
    TRY(review(session, Review::kRepositoryBlob, RepositoryId{found.first}, found.second,
               std::max(*until, session.now())));
  }
  return true;
}

Result<bool> review_artifact_again(db::WriteSession& session, const Disagreement& found) {
  const auto repository =
      TRY(session.first("SELECT repository_id FROM artifact WHERE id = ?", {found.first},
                        [](const db::Row& row) { return row.id<RepositoryId>(0); }));
  if (repository) {
    TRY(review(session, Review::kArtifact, *repository, found.first, session.now()));
  }
  return true;
}

Result<bool> review_blob_again(db::WriteSession& session, const Disagreement& found) {
  TRY(review(session, Review::kBlob, RepositoryId{}, found.first, session.now()));
  return true;
}

Result<bool> review_manifest_again(db::WriteSession& session, const Disagreement& found) {
  TRY(review(session, Review::kManifest, RepositoryId{}, found.first, session.now()));
  return true;
}

}  // namespace roadstead::registry::internal
