#include <fmt/format.h>

#include "registry/internal/lists.h"
#include "registry/internal/place.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/remover.h"
#include "registry/internal/reviewer.h"

namespace roadstead::registry::internal {
namespace {

/// How long a question that could not be settled waits, at least.
constexpr std::chrono::minutes kAskAgain{1};

std::optional<Time> maybe_time(const db::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.time(column));
}

}  // namespace

Result<std::optional<Hold>> read_hold(db::ReadSession& session, RepositoryId repository,
                                      BlobId blob) {
  return session.first(
      "SELECT rb.project_id, rb.leased_until, rb.condemned_at, EXISTS (SELECT 1 FROM artifact_blob "
      "ab WHERE ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id) "
      "FROM repository_blob rb WHERE rb.repository_id = ? AND rb.blob_id = ?",
      {repository, blob}, [](const db::Row& row) {
        return Hold{row.id<ProjectId>(0), row.boolean(3), row.time(1), maybe_time(row, 2)};
      });
}

Result<std::optional<Standing>> read_standing(db::ReadSession& session, ArtifactId artifact) {
  return session.first(
      "SELECT a.project_id, a.repository_id, r.full_name, a.digest, a.leased_until, "
      "a.condemned_at, "
      "EXISTS (SELECT 1 FROM tag t WHERE t.artifact_id = a.id) OR "
      "EXISTS (SELECT 1 FROM artifact_child c WHERE c.child_id = a.id) OR "
      "(a.subject_digest IS NOT NULL AND EXISTS (SELECT 1 FROM artifact s WHERE "
      "s.repository_id = a.repository_id AND s.digest = a.subject_digest)) "
      "FROM artifact a JOIN repository r ON r.id = a.repository_id WHERE a.id = ?",
      {artifact}, [](const db::Row& row) {
        return Standing{row.id<ProjectId>(0),     row.id<RepositoryId>(1), std::string(row.text(2)),
                        std::string(row.text(3)), row.boolean(6),          row.time(4),
                        maybe_time(row, 5)};
      });
}

Result<void> Reviewer::answer(const Question& question) {
  const std::int64_t asked =
      TRY(session_.execute("DELETE FROM review WHERE id = ?", {question.id}));
  if (asked == 0) {
    return {};  // Another process has answered it.
  }
  ++collected_.reviewed;
  ++cost_;
  if (question.kind == to_string(Review::kRepositoryBlob)) {
    return review_hold(question.repository, BlobId{question.object});
  }
  if (question.kind == to_string(Review::kArtifact)) {
    TRY(lock_repository(session_, question.repository));
    return review_artifact(ArtifactId{question.object});
  }
  if (question.kind == to_string(Review::kBlob)) {
    return review_blob(BlobId{question.object});
  }
  if (question.kind == to_string(Review::kManifest)) {
    return review_manifest(ManifestId{question.object});
  }
  // A deletion to finish is finished by finish_deletions().
  return drop_repository_if_empty(question.repository);
}

bool Reviewer::grace_is_over(Time condemned_at) {
  return purge_ && condemned_at + options_.grace <= session_.now();
}

/// An upload holds the blob when it comes to a hold. Whoever is going to lock both does the same.
Result<void> Reviewer::lock_blob_of_removable(RepositoryId repository, BlobId blob) {
  if (!session_.shared()) {
    return {};
  }
  const auto seen = TRY(read_hold(session_, repository, blob));
  if (seen && seen->condemned_at && grace_is_over(*seen->condemned_at)) {
    TRY(session_.lock("SELECT 1 FROM blob WHERE id = ? FOR UPDATE", {blob}));
  }
  return {};
}

Result<void> Reviewer::review_hold(RepositoryId repository, BlobId blob) {
  TRY(lock_blob_of_removable(repository, blob));
  TRY(session_.lock(
      "SELECT 1 FROM repository_blob WHERE repository_id = ? AND blob_id = ? FOR UPDATE",
      {repository, blob}));
  const auto hold = TRY(read_hold(session_, repository, blob));
  if (!hold || hold->needed || hold->leased_until > session_.now()) {
    return {};
  }
  if (!hold->condemned_at) {
    return condemn_hold(repository, blob, *hold);
  }
  if (grace_is_over(*hold->condemned_at)) {
    return remove_hold(repository, blob, *hold);
  }
  const Time due = std::max(*hold->condemned_at + options_.grace, session_.now() + kAskAgain);
  return purge_ ? Result<void>()  // The question at its end is on its way.
                : review(session_, Review::kRepositoryBlob, repository, blob.value, due);
}

Result<void> Reviewer::condemn_hold(RepositoryId repository, BlobId blob, const Hold& hold) {
  const Time now = session_.now();
  TRY(session_.execute(
      "UPDATE repository_blob SET condemned_at = ? WHERE repository_id = ? AND blob_id = ?",
      {now, repository, blob}));
  ++collected_.condemned;
  // A lease that kept content counted has lapsed.
  TRY(uncount_blob(session_, hold.project, blob, true));
  return review(session_, Review::kRepositoryBlob, repository, blob.value, now + options_.grace);
}

Result<void> Reviewer::remove_hold(RepositoryId repository, BlobId blob, const Hold& hold) {
  TRY(session_.execute("DELETE FROM repository_blob WHERE repository_id = ? AND blob_id = ?",
                       {repository, blob}));
  TRY(uncount_blob(session_, hold.project, blob, true));
  TRY(review_blob(blob));
  return drop_repository_if_empty(repository);
}

Result<void> Reviewer::review_blob(BlobId blob) {
  // Of two transactions that remove the last two holds the second sees what the first did.
  TRY(session_.lock("SELECT 1 FROM blob WHERE id = ? FOR UPDATE", {blob}));
  const auto held = TRY(session_.first("SELECT 1 FROM repository_blob WHERE blob_id = ? LIMIT 1",
                                       {blob}, [](const db::Row&) { return true; }));
  if (held) {
    return {};
  }
  if (!purge_) {
    return review(session_, Review::kBlob, RepositoryId{}, blob.value, session_.now() + kAskAgain);
  }
  const auto dropped = TRY(drop_blob(session_, blob));
  if (dropped) {
    collected_.removed.push_back({Removed::Kind::kBlob, dropped->digest, dropped->size});
  }
  return {};
}

Result<void> Reviewer::review_artifact(ArtifactId artifact) {
  const auto standing = TRY(read_standing(session_, artifact));
  if (!standing) {
    return {};
  }
  if (standing->kept) {
    if (standing->condemned_at) {
      TRY(session_.execute("UPDATE artifact SET condemned_at = NULL WHERE id = ?", {artifact}));
    }
    TRY(session_.execute("DELETE FROM untagged WHERE artifact_id = ?", {artifact}));
    return {};
  }
  if (standing->leased_until > session_.now()) {
    return {};
  }
  if (!standing->condemned_at) {
    // Whether it goes is for somebody else to say: condemn_artifact().
    const auto known = TRY(session_.first("SELECT 1 FROM untagged WHERE artifact_id = ?",
                                          {artifact}, [](const db::Row&) { return true; }));
    if (!known) {
      TRY(session_.execute("INSERT INTO untagged (artifact_id) VALUES (?)", {artifact}));
    }
    return {};
  }
  if (grace_is_over(*standing->condemned_at)) {
    return remove_artifact(artifact, *standing);
  }
  const Time due = std::max(*standing->condemned_at + options_.grace, session_.now() + kAskAgain);
  return purge_ ? Result<void>()
                : review(session_, Review::kArtifact, standing->repository, artifact.value, due);
}

Result<bool> Reviewer::condemn_artifact(ArtifactId artifact) {
  auto standing = TRY(read_standing(session_, artifact));
  if (standing && TRY(lock_repository(session_, standing->repository))) {
    standing = TRY(read_standing(session_, artifact));
  }
  if (!standing || standing->kept) {
    TRY(session_.execute("DELETE FROM untagged WHERE artifact_id = ?", {artifact}));
    return false;
  }
  const Time now = session_.now();
  if (standing->leased_until > now || standing->condemned_at) {
    return false;
  }
  TRY(session_.execute("UPDATE artifact SET condemned_at = ? WHERE id = ?", {now, artifact}));
  TRY(review(session_, Review::kArtifact, standing->repository, artifact.value,
             now + options_.grace));
  return true;
}

Result<void> Reviewer::remove_artifact(ArtifactId artifact, const Standing& standing) {
  Remover remover(session_, {Holder{standing.project, standing.repository},
                             standing.repository_name, kCollectorName});
  const bool done = TRY(remover.remove(artifact));
  const auto children = TRY(remover.loose_children());
  for (const ArtifactId child : children) {
    TRY(condemn_artifact(child));
  }
  cost_ += remover.spent();
  for (const std::string& digest : remover.removed()) {
    collected_.removed.push_back(
        {Removed::Kind::kArtifact, fmt::format("{}@{}", standing.repository_name, digest), 0});
  }
  if (!done) {
    return review(session_, Review::kArtifact, standing.repository, artifact.value, session_.now());
  }
  TRY(session_.execute("DELETE FROM untagged WHERE artifact_id = ?", {artifact}));
  return {};
}

Result<void> Reviewer::review_manifest(ManifestId manifest) {
  TRY(session_.lock("SELECT 1 FROM manifest WHERE id = ? FOR UPDATE", {manifest}));
  // What was deleted can be restored while its row in artifact_trash lives.
  const auto kept = TRY(session_.first(
      "SELECT 1 WHERE EXISTS (SELECT 1 FROM artifact WHERE manifest_id = ?) OR EXISTS (SELECT 1 "
      "FROM artifact_trash WHERE manifest_id = ?)",
      {manifest, manifest}, [](const db::Row&) { return true; }));
  if (kept) {
    return {};
  }
  auto gone = TRY(session_.first(
      "SELECT digest, size FROM manifest WHERE id = ?", {manifest}, [](const db::Row& row) {
        return Removed{Removed::Kind::kManifest, std::string(row.text(0)), row.integer(1)};
      }));
  if (gone) {
    TRY(session_.execute("DELETE FROM manifest WHERE id = ?", {manifest}));
    collected_.removed.push_back(std::move(*gone));
  }
  return {};
}

Result<void> Reviewer::drop_repository_if_empty(RepositoryId repository) {
  struct Emptiness {
    bool holds = false;
    bool uploads = false;
  };
  // Whoever has it may be waiting for what this transaction holds.
  const auto locked =
      TRY(session_.first("SELECT 1 FROM repository WHERE id = ? FOR UPDATE SKIP LOCKED",
                         {repository}, [](const db::Row&) { return true; }));
  if (!locked) {
    const auto there = TRY(session_.first("SELECT 1 FROM repository WHERE id = ?", {repository},
                                          [](const db::Row&) { return true; }));
    return there ? review(session_, Review::kRepository, repository, repository.value,
                          session_.now() + kAskAgain)
                 : Result<void>();
  }
  const auto empty = TRY(session_.first(
      "SELECT EXISTS (SELECT 1 FROM repository_blob WHERE repository_id = r.id), "
      "EXISTS (SELECT 1 FROM upload WHERE repository_id = r.id) FROM repository r "
      "WHERE r.id = ? AND r.artifact_count = 0 AND r.full_name < '~'",
      {repository}, [](const db::Row& row) { return Emptiness{row.boolean(0), row.boolean(1)}; }));
  if (!empty || empty->holds) {
    return {};
  }
  if (empty->uploads) {
    return review(session_, Review::kRepository, repository, repository.value,
                  session_.now() + options_.upload_lifetime);
  }
  return remove_repository_row(session_, repository);
}

}  // namespace roadstead::registry::internal
