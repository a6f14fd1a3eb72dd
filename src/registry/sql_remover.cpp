#include "json/json.h"
#include "registry/internal/lists.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/quota.h"
#include "registry/internal/remover.h"

namespace roadstead::registry::internal {
namespace {

/// A chain of referrers of referrers longer than this is refused rather than followed.
constexpr std::size_t kChainMax = 10'000;

std::string tags_json(const std::vector<std::string>& tags) {
  json::Writer writer;
  writer.begin_array();
  for (const std::string& tag : tags) {
    writer.value(tag);
  }
  writer.end_array();
  return writer.take();
}

/// From now on nothing but a tag or a parent keeps them.
Result<void> review_referrers(db::WriteSession& session, RepositoryId repository,
                              std::string_view subject) {
  const auto referrers = TRY(session.all(
      "SELECT id FROM artifact WHERE repository_id = ? AND subject_digest = ? LIMIT ?",
      {repository, subject, kChainMax}, [](const db::Row& row) { return row.id<ArtifactId>(0); }));
  for (const ArtifactId referrer : referrers) {
    TRY(review(session, Review::kArtifact, repository, referrer.value, session.now()));
  }
  return {};
}

/// Without artifacts, and perhaps without anything: the collector looks.
Result<void> review_if_empty(db::WriteSession& session, RepositoryId repository) {
  const auto empty =
      TRY(session.first("SELECT 1 FROM repository WHERE id = ? AND artifact_count = 0",
                        {repository}, [](const db::Row&) { return true; }));
  return empty ? review(session, Review::kRepository, repository, repository.value, session.now())
               : Result<void>();
}

}  // namespace

Result<bool> keeps_referrers(db::ReadSession& session, ProjectId project) {
  const auto kept = TRY(session.first(
      "SELECT value FROM project_metadata WHERE project_id = ? AND name = 'keep_referrers'",
      {project}, [](const db::Row& row) { return row.text(0) == "true"; }));
  return kept.value_or(false);
}

Result<bool> Remover::remove(ArtifactId artifact) {
  const auto digest =
      TRY(session_.first("SELECT digest FROM artifact WHERE id = ?", {artifact},
                         [](const db::Row& row) { return std::string(row.text(0)); }));
  if (!digest) {
    return true;
  }
  // Depth first without recursion: input decides how long a chain of referrers is.
  std::vector<Frame> stack{Frame{artifact, *digest}};
  while (!stack.empty()) {
    if (exhausted()) {
      return false;
    }
    auto referrer = TRY(next_referrer(stack.back()));
    if (referrer) {
      if (stack.size() >= kChainMax) {
        return Error{Code::kPrecondition, Subject::kManifest,
                     "the chain of referrers is too long to follow", *digest};
      }
      stack.push_back(std::move(*referrer));
      continue;
    }
    std::string_view subject;
    if (stack.size() > 1) {
      subject = stack.at(stack.size() - 2).digest;
    }
    if (!TRY(remove_one(stack.back(), subject))) {
      return false;
    }
    stack.pop_back();
  }
  return true;
}

Result<bool> Remover::keeps_referrers() {
  if (!keeps_referrers_) {
    keeps_referrers_ = TRY(internal::keeps_referrers(session_, scope_.holder.project));
  }
  return *keeps_referrers_;
}

Result<std::optional<Remover::Frame>> Remover::next_referrer(Frame& subject) {
  // All of them go anyway, or none does.
  if (scope_.whole_repository || TRY(keeps_referrers())) {
    return std::optional<Frame>();
  }
  auto next = TRY(session_.first(
      "SELECT a.id, a.digest FROM artifact a WHERE a.repository_id = ? AND a.subject_digest = ? "
      "AND a.id > ? AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.artifact_id = a.id) AND NOT EXISTS "
      "(SELECT 1 FROM artifact_child c WHERE c.child_id = a.id) ORDER BY a.id LIMIT 1",
      {scope_.holder.repository, subject.digest, subject.last_referrer},
      [](const db::Row& row) { return Frame{row.id<ArtifactId>(0), std::string(row.text(1))}; }));
  if (next) {
    subject.last_referrer = next->artifact.value;
  }
  return next;
}

Result<bool> Remover::remove_one(const Frame& frame, std::string_view subject) {
  const auto tags = TRY(remove_tags(frame));
  if (exhausted()) {
    return false;
  }
  TRY(remove_edges(frame.artifact));
  TRY(remove_row(frame, tags, subject));
  return true;
}

Result<std::vector<std::string>> Remover::remove_tags(const Frame& frame) {
  const auto tags =
      TRY(session_.all("SELECT name FROM tag WHERE artifact_id = ? ORDER BY name LIMIT ?",
                       {frame.artifact, kBudget - spent_},
                       [](const db::Row& row) { return std::string(row.text(0)); }));
  const TagChange change{scope_.holder.repository, scope_.operator_name};
  for (const std::string& tag : tags) {
    TRY(session_.execute("DELETE FROM tag WHERE repository_id = ? AND name = ?",
                         {scope_.holder.repository, tag}));
    TRY(record_tag(session_, change, tag, frame.digest, "delete"));
  }
  spent_ += static_cast<std::int64_t>(tags.size());
  return tags;
}

Result<void> Remover::remove_edges(ArtifactId artifact) {
  const auto blobs =
      TRY(session_.all("SELECT blob_id FROM artifact_blob WHERE artifact_id = ?", {artifact},
                       [](const db::Row& row) { return row.id<BlobId>(0); }));
  TRY(session_.execute("DELETE FROM artifact_blob WHERE artifact_id = ?", {artifact}));
  for (const BlobId blob : blobs) {
    // Removing an edge decides nothing: the collector looks whether anything else keeps the blob.
    TRY(review(session_, Review::kRepositoryBlob, scope_.holder.repository, blob.value,
               session_.now()));
    TRY(uncount_blob(session_, scope_.holder.project, blob, false));
  }
  const auto children =
      TRY(session_.all("SELECT child_id FROM artifact_child WHERE artifact_id = ?", {artifact},
                       [](const db::Row& row) { return row.id<ArtifactId>(0); }));
  TRY(session_.execute("DELETE FROM artifact_child WHERE artifact_id = ?", {artifact}));
  if (scope_.whole_repository) {
    TRY(session_.execute("DELETE FROM artifact_child WHERE child_id = ?", {artifact}));
    return {};
  }
  for (const ArtifactId child : children) {
    TRY(relist_artifact(session_, child));
    TRY(review(session_, Review::kArtifact, scope_.holder.repository, child.value, session_.now()));
  }
  former_children_.insert(former_children_.end(), children.begin(), children.end());
  spent_ += static_cast<std::int64_t>(blobs.size() + children.size());
  return {};
}

/// Keeps what restoring it needs and its manifest does not tell.
Result<void> Remover::throw_away(const Frame& frame, std::string_view tags,
                                 std::string_view subject) {
  const bool whole = scope_.whole_repository;
  // With its repository an untagged referrer goes because its subject does, though nobody looked.
  const bool along = whole && tags == "[]";
  TRY(session_.execute(
      "INSERT INTO artifact_trash (repository_id, repository_name, manifest_id, digest, tags, "
      "operator, op_time, project_id, taken_with, extra_attributes) "
      "SELECT repository_id, ?, manifest_id, digest, ?, ?, ?, project_id, "
      "CASE WHEN ? THEN COALESCE(subject_digest, '') ELSE ? END, extra_attributes "
      "FROM artifact WHERE id = ?",
      {scope_.repository_name, tags, scope_.operator_name, session_.now(), along, subject,
       frame.artifact}));
  return {};
}

Result<void> Remover::remove_row(const Frame& frame, const std::vector<std::string>& tags,
                                 std::string_view subject) {
  struct Stored {
    ManifestId manifest;
    std::int64_t size = 0;
  };
  // Locked, because whether it still counts for the project is decided below.
  const auto stored = TRY(session_.first(
      "SELECT a.manifest_id, f.size FROM artifact a JOIN manifest f ON f.id = a.manifest_id "
      "WHERE a.id = ? FOR NO KEY UPDATE",
      {frame.artifact},
      [](const db::Row& row) { return Stored{row.id<ManifestId>(0), row.integer(1)}; }));
  CHECK(stored.has_value());
  const Time now = session_.now();
  const std::string names = tags_json(tags);
  TRY(throw_away(frame, names, subject));
  if (!scope_.whole_repository) {
    TRY(unlist_artifact(session_, frame.artifact));
  }
  TRY(session_.execute("DELETE FROM artifact WHERE id = ?", {frame.artifact}));
  TRY(review(session_, Review::kManifest, RepositoryId{}, stored->manifest.value, now));
  const auto elsewhere = TRY(session_.first(
      "SELECT 1 FROM artifact WHERE manifest_id = ? AND project_id = ? LIMIT 1",
      {stored->manifest, scope_.holder.project}, [](const db::Row&) { return true; }));
  if (!elsewhere) {
    TRY(charge(session_, scope_.holder.project, -stored->size));
  }
  if (!scope_.whole_repository) {
    TRY(
        session_.execute("UPDATE repository SET artifact_count = artifact_count - 1, update_time "
                         "= ? WHERE id = ?",
                         {now, scope_.holder.repository}));
    TRY(relist_repository(session_, scope_.holder.repository));
    TRY(review_if_empty(session_, scope_.holder.repository));
    TRY(relist_referrers(session_, scope_.holder.repository, frame.digest));
    TRY(review_referrers(session_, scope_.holder.repository, frame.digest));
  }
  ++spent_;
  removed_.push_back(frame.digest);
  json::Writer event;
  event.begin_object();
  event.member("project_id", scope_.holder.project.value);
  event.member("repository", scope_.repository_name);
  event.member("artifact_id", frame.artifact.value);
  event.member("digest", frame.digest);
  event.key("tags");
  event.raw(names);
  event.member("operator", scope_.operator_name);
  event.end_object();
  return emit_event(session_, "DELETE_ARTIFACT", event.take());
}

Result<std::vector<ArtifactId>> Remover::loose_children() {
  std::vector<ArtifactId> loose;
  for (const ArtifactId child : former_children_) {
    const auto nothing_keeps_it = TRY(session_.first(
        "SELECT 1 FROM artifact a WHERE a.id = ? AND a.leased_until <= ? AND NOT EXISTS (SELECT 1 "
        "FROM tag t WHERE t.artifact_id = a.id) AND NOT EXISTS (SELECT 1 FROM artifact_child c "
        "WHERE c.child_id = a.id)",
        {child, session_.now()}, [](const db::Row&) { return true; }));
    if (nothing_keeps_it) {
      loose.push_back(child);
    }
  }
  former_children_.clear();
  return loose;
}

}  // namespace roadstead::registry::internal
