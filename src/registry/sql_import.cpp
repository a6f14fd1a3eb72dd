#include <fmt/format.h>

#include "registry/internal/import_rows.h"
#include "registry/internal/push_rows.h"

namespace roadstead::registry {
namespace internal {
namespace {

struct PresentBlob {
  Held held;
  bool damaged = false;
};

Result<std::optional<PresentBlob>> find_present(db::ReadSession& session,
                                                const model::Digest& digest) {
  return session.first(
      "SELECT id, size, damaged_at FROM blob WHERE digest = ?", {digest.to_string()},
      [](const db::Row& row) { return PresentBlob{*held_from(row, 0), !row.is_null(2)}; });
}

Result<Held> insert_imported(db::WriteSession& session, const ImportedBlob& blob) {
  const Time now = session.now();
  const std::optional<Time> verified = blob.hashed ? std::optional(now) : std::nullopt;
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO blob (digest, size, location, verified_at, creation_time) VALUES (?, ?, ?, ?, "
      "?)",
      {blob.digest.to_string(), blob.size, blob.location.value, verified, now}));
  // From an earlier life: what is named again must not wait for its removal.
  TRY(session.execute("DELETE FROM deleting WHERE location = ?", {blob.location.value}));
  return Held{BlobId{id}, static_cast<std::int64_t>(blob.size)};
}

}  // namespace

Result<Claimed> claim_blob(db::WriteSession& session, const Holder& holder,
                           const ImportedBlob& blob) {
  const auto present = TRY(find_present(session, blob.digest));
  if (present && present->damaged) {
    return Error{Code::kInvalid, Subject::kBlob,
                 "content is marked as damaged: roadstead fsck --deep --repair looks at it again",
                 blob.digest.to_string()};
  }
  if (!present && blob.location.value.empty()) {
    return reference_missing({blob.digest.to_string()});
  }
  const Held held = present ? present->held : TRY(insert_imported(session, blob));
  const std::int64_t revived = TRY(session.execute(
      "UPDATE repository_blob SET condemned_at = NULL WHERE repository_id = ? AND blob_id = ?",
      {holder.repository, held.blob}));
  if (revived == 0) {
    TRY(session.execute(
        "INSERT INTO repository_blob (repository_id, blob_id, project_id, leased_until) VALUES (?, "
        "?, ?, ?)",
        {holder.repository, held.blob, holder.project, session.now()}));
  }
  return present ? Claimed::kPresent : Claimed::kNew;
}

Result<std::optional<RepositoryId>> find_repository(db::ReadSession& session, ProjectId project,
                                                    const model::RepositoryName& repository) {
  return session.first("SELECT id FROM repository WHERE project_id = ? AND name = ?",
                       {project, repository.path()},
                       [](const db::Row& row) { return row.id<RepositoryId>(0); });
}

Result<std::optional<TagTarget>> find_tag_target(db::ReadSession& session, RepositoryId repository,
                                                 const model::Tag& tag,
                                                 const model::Digest& digest) {
  return session.first(
      "SELECT a.id, (SELECT n.digest FROM tag t JOIN artifact n ON n.id = t.artifact_id WHERE "
      "t.repository_id = a.repository_id AND t.name = ?) FROM artifact a WHERE a.repository_id = ? "
      "AND a.digest = ?",
      {tag.to_string(), repository, digest.to_string()}, [](const db::Row& row) {
        TagTarget target{row.id<ArtifactId>(0), {}};
        if (!row.is_null(1)) {
          target.named = std::string(row.text(1));
        }
        return target;
      });
}

}  // namespace internal

Result<std::set<std::string>> imported_manifests(db::ReadSession& session, const ImportPlace& place,
                                                 std::span<const model::Digest> digests) {
  std::set<std::string> present;
  const auto repository = TRY(internal::find_repository(session, place.project, place.repository));
  if (!repository) {
    return present;
  }
  for (const model::Digest& digest : digests) {
    const auto found =
        TRY(session.first("SELECT 1 FROM artifact WHERE repository_id = ? AND digest = ?",
                          {*repository, digest.to_string()}, [](const db::Row&) { return true; }));
    if (found) {
      present.insert(digest.to_string());
    }
  }
  return present;
}

Result<std::optional<std::int64_t>> imported_blob_size(db::ReadSession& session,
                                                       const model::Digest& digest) {
  return session.first("SELECT size FROM blob WHERE digest = ? AND damaged_at IS NULL",
                       {digest.to_string()}, [](const db::Row& row) { return row.integer(0); });
}

Result<std::set<std::string>> imported_tags(db::ReadSession& session, const ImportPlace& place,
                                            std::span<const ImportedTag> tags) {
  std::set<std::string> present;
  const auto repository = TRY(internal::find_repository(session, place.project, place.repository));
  if (!repository) {
    return present;
  }
  for (const ImportedTag& tag : tags) {
    const auto target = TRY(internal::find_tag_target(session, *repository, tag.tag, tag.digest));
    if (target && target->named == tag.digest.to_string()) {
      present.insert(tag.tag.to_string());
    }
  }
  return present;
}

}  // namespace roadstead::registry
