#include "registry/internal/lists.h"

namespace roadstead::registry::internal {
namespace {

using auth::CountedList;
using auth::ListKey;

ListKey key_from(const db::Row& row) {
  return ListKey{{}, row.time(0), row.integer(1)};
}

Result<std::optional<ListKey>> nth_repository(db::ReadSession& session, std::int64_t /*scope*/,
                                              const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT creation_time, id FROM repository /* by repository_listed */ WHERE listed = 1 AND "
      "(creation_time, id) >= (?, ?) "
      "ORDER BY creation_time, id LIMIT 1 OFFSET ?",
      {from.time, from.id, skip}, key_from);
}

Result<std::optional<ListKey>> nth_repository_of(db::ReadSession& session, std::int64_t scope,
                                                 const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT creation_time, id FROM repository /* by repository_listed_in */ WHERE project_id = ? "
      "AND listed = 1 AND "
      "(creation_time, id) >= (?, ?) ORDER BY creation_time, id LIMIT 1 OFFSET ?",
      {scope, from.time, from.id, skip}, key_from);
}

ListKey name_from(const db::Row& row) {
  return ListKey{std::string(row.text(0)), {}, 0};
}

Result<std::optional<ListKey>> nth_repository_name(db::ReadSession& session, std::int64_t /*scope*/,
                                                   const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT full_name FROM repository /* by repository_listed_name */ WHERE listed = 1 AND "
      "full_name >= ? ORDER BY full_name "
      "LIMIT 1 OFFSET ?",
      {from.name, skip}, name_from);
}

Result<std::optional<ListKey>> nth_repository_name_of(db::ReadSession& session, std::int64_t scope,
                                                      const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT name FROM repository /* by repository_listed_name_in */ WHERE project_id = ? AND "
      "listed = 1 AND name >= ? ORDER BY name "
      "LIMIT 1 OFFSET ?",
      {scope, from.name, skip}, name_from);
}

Result<std::optional<ListKey>> nth_artifact(db::ReadSession& session, std::int64_t scope,
                                            const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT push_time, id FROM artifact /* by artifact_listed */ WHERE repository_id = ? AND "
      "listed = 1 AND "
      "(push_time, id) >= (?, ?) ORDER BY push_time, id LIMIT 1 OFFSET ?",
      {scope, from.time, from.id, skip}, key_from);
}

Result<void> change(db::WriteSession& session, const CountedList& list, const ListKey& key,
                    bool listed) {
  return listed ? auth::add_entry(session, list, key) : auth::remove_entry(session, list, key);
}

struct ListedArtifact {
  RepositoryId repository;
  ListKey key;
  bool listed = false;
  bool should_be = false;
};

Result<void> set_listed(db::WriteSession& session, const ListedArtifact& artifact, bool listed) {
  if (artifact.listed == listed) {
    return {};
  }
  TRY(session.execute_later("UPDATE artifact SET listed = ? WHERE id = ?",
                            {listed, artifact.key.id}));
  return change(session, artifacts_of(artifact.repository), artifact.key, listed);
}

Result<std::optional<ListedArtifact>> read_artifact(db::ReadSession& session, ArtifactId artifact) {
  return session.first(
      "SELECT a.repository_id, a.push_time, a.id, a.listed, "
      "(EXISTS (SELECT 1 FROM tag t WHERE t.artifact_id = a.id) OR NOT EXISTS (SELECT 1 FROM "
      "artifact_child c WHERE c.child_id = a.id)) AND (a.subject_digest IS NULL OR NOT EXISTS "
      "(SELECT 1 FROM artifact s WHERE s.repository_id = a.repository_id AND s.digest = "
      "a.subject_digest)) FROM artifact a WHERE a.id = ?",
      {artifact}, [](const db::Row& row) {
        return ListedArtifact{row.id<RepositoryId>(0), ListKey{{}, row.time(1), row.integer(2)},
                              row.boolean(3), row.boolean(4)};
      });
}

}  // namespace

CountedList all_repositories() {
  return {"repository", 0, nth_repository};
}

CountedList repositories_of(ProjectId project) {
  return {"project_repository", project.value, nth_repository_of};
}

CountedList all_repositories_by_name() {
  return {"repository_name", 0, nth_repository_name};
}

CountedList repositories_by_name_of(ProjectId project) {
  return {"project_repository_name", project.value, nth_repository_name_of};
}

CountedList artifacts_of(RepositoryId repository) {
  return {"artifact", repository.value, nth_artifact, true};
}

Result<void> relist_repository(db::WriteSession& session, RepositoryId repository) {
  struct Listed {
    ProjectId project;
    ListKey key;
    bool listed = false;
    bool should_be = false;
    ListKey name;
    ListKey full_name;
  };
  const auto found = TRY(session.first(
      "SELECT project_id, creation_time, listed, artifact_count, name, full_name FROM repository "
      "WHERE id = ?",
      {repository}, [&](const db::Row& row) {
        return Listed{row.id<ProjectId>(0),
                      ListKey{{}, row.time(1), repository.value},
                      row.boolean(2),
                      row.integer(3) > 0,
                      ListKey{std::string(row.text(4)), {}, 0},
                      ListKey{std::string(row.text(5)), {}, 0}};
      }));
  if (!found || found->listed == found->should_be) {
    return {};
  }
  TRY(session.execute_later("UPDATE repository SET listed = ? WHERE id = ?",
                            {found->should_be, repository}));
  const bool listed = found->should_be;
  TRY(change(session, all_repositories(), found->key, listed));
  TRY(change(session, all_repositories_by_name(), found->full_name, listed));
  TRY(change(session, repositories_of(found->project), found->key, listed));
  return change(session, repositories_by_name_of(found->project), found->name, listed);
}

Result<void> relist_artifact(db::WriteSession& session, ArtifactId artifact) {
  const auto found = TRY(read_artifact(session, artifact));
  return found ? set_listed(session, *found, found->should_be) : Result<void>();
}

Result<void> relist_referrers(db::WriteSession& session, RepositoryId repository,
                              std::string_view digest) {
  const auto referrers = TRY(
      session.all("SELECT id FROM artifact WHERE repository_id = ? AND subject_digest = ?",
                  {repository, digest}, [](const db::Row& row) { return row.id<ArtifactId>(0); }));
  for (const ArtifactId referrer : referrers) {
    TRY(relist_artifact(session, referrer));
  }
  return {};
}

Result<void> unlist_artifact(db::WriteSession& session, ArtifactId artifact) {
  const auto found = TRY(read_artifact(session, artifact));
  return found ? set_listed(session, *found, false) : Result<void>();
}

}  // namespace roadstead::registry::internal
