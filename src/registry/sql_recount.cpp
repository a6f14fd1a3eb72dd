#include "registry/check.h"
#include "registry/internal/lists.h"

namespace roadstead::registry {

Result<Usage> recount_usage(db::ReadSession& session, ProjectId project) {
  Usage usage;
  const auto add = [&](std::int64_t& sum, std::string_view sql) {
    return session.each(sql, {project}, [&](const db::Row& row) {
      sum += row.integer(0);
      return false;
    });
  };
  TRY(session.each("SELECT name FROM project WHERE id = ?", {project}, [&](const db::Row& row) {
    usage.project = row.text(0);
    return false;
  }));
  TRY(add(usage.counted, "SELECT used FROM quota WHERE project_id = ?"));
  TRY(add(usage.counted, "SELECT SUM(bytes) FROM quota_delta WHERE project_id = ?"));
  TRY(add(usage.counted, "SELECT -SUM(headroom) FROM quota_slice WHERE project_id = ?"));
  TRY(add(usage.actual,
          "SELECT SUM(b.size) FROM project_blob pb JOIN blob b ON b.id = pb.blob_id WHERE "
          "pb.project_id = ?"));
  TRY(add(usage.actual,
          "SELECT SUM(m.size) FROM manifest m WHERE m.id IN (SELECT a.manifest_id FROM repository "
          "r JOIN artifact a ON a.repository_id = r.id WHERE r.project_id = ?)"));
  return usage;
}

Result<void> correct_usage(db::WriteSession& session, ProjectId project, const Usage& usage) {
  const auto has_quota = TRY(session.first("SELECT 1 FROM quota WHERE project_id = ?", {project},
                                           [](const db::Row&) { return true; }));
  if (!has_quota) {
    // Folding would lose what has no row to be added to.
    const Time now = session.now();
    TRY(
        session.execute("INSERT INTO quota (project_id, hard_limit, used, creation_time, "
                        "update_time) VALUES (?, -1, 0, ?, ?)",
                        {project, now, now}));
  }
  const std::int64_t difference = usage.actual - usage.counted;
  if (difference != 0) {
    TRY(session.insert("INSERT INTO quota_delta (project_id, bytes) VALUES (?, ?)",
                       {project, difference}));
  }
  return {};
}

Result<void> recount_artifacts(db::WriteSession& session, RepositoryId repository) {
  TRY(session.execute(
      "UPDATE repository SET artifact_count = (SELECT COUNT(*) FROM artifact a WHERE "
      "a.repository_id = repository.id) WHERE id = ? AND full_name < '~'",
      {repository}));
  return internal::relist_repository(session, repository);
}

std::vector<auth::CountedList> counted_lists() {
  return {internal::all_repositories(), internal::all_repositories_by_name()};
}

std::vector<auth::CountedList> counted_lists_of(ProjectId project) {
  return {internal::repositories_of(project), internal::repositories_by_name_of(project)};
}

auth::CountedList counted_list_of(RepositoryId repository) {
  return internal::artifacts_of(repository);
}

Result<std::vector<ProjectId>> projects_after(db::ReadSession& session, ProjectId after,
                                              std::size_t count) {
  return session.all("SELECT id FROM project WHERE id > ? ORDER BY id LIMIT ?", {after, count},
                     [](const db::Row& row) { return row.id<ProjectId>(0); });
}

Result<std::vector<RepositoryId>> repositories_after(db::ReadSession& session, RepositoryId after,
                                                     std::size_t count) {
  // One that is being deleted is on no list, and what is left in it does not leave its own.
  return session.all(
      "SELECT id FROM repository WHERE id > ? AND full_name < '~' ORDER BY id LIMIT ?",
      {after, count}, [](const db::Row& row) { return row.id<RepositoryId>(0); });
}

}  // namespace roadstead::registry
