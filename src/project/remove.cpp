#include <array>
#include <string>

#include "project/internal/lists.h"
#include "project/project_store.h"

namespace roadstead::project {
namespace {

// Somebody may push between emptying and removing; after so many times it is their project.
constexpr int kAttemptsMax = 3;

Error not_empty() {
  return {Code::kPrecondition,
          Subject::kProject,
          "precondition failed: the project contains repositories, can not be deleted",
          {}};
}

Error no_such_project(ProjectId id) {
  return {
      Code::kNotFound, Subject::kProject, "project " + std::to_string(id.value) + " not found", {}};
}

Result<void> delete_rows(db::WriteSession& session, ProjectId id) {
  constexpr std::array<std::string_view, 7> kStatements{
      "DELETE FROM project_metadata WHERE project_id = ?",
      "DELETE FROM project_member WHERE project_id = ?",
      "DELETE FROM quota_delta WHERE project_id = ?",
      "DELETE FROM quota WHERE project_id = ?",
      "DELETE FROM quota_slice WHERE project_id = ?",
      "DELETE FROM project_blob WHERE project_id = ?",
      "DELETE FROM project WHERE id = ?"};
  for (const std::string_view statement : kStatements) {
    TRY(session.execute(statement, {id}));
  }
  return {};
}

Result<void> remove_once(db::Database& database, ProjectContent& content, ProjectId id) {
  TRY(content.empty(id));
  return database.write([&](db::WriteSession& session) -> Result<void> {
    if (TRY(content.has_repositories(session, id))) {
      return not_empty();
    }
    TRY(content.remove_invisible(session, id));
    TRY(internal::unlist_project(session, id));
    return delete_rows(session, id);
  });
}

Result<void> check_removable(db::ReadSession& session, ProjectContent& content, ProjectId id) {
  const auto found = TRY(session.first("SELECT 1 FROM project WHERE id = ?", {id},
                                       [](const db::Row&) { return true; }));
  if (!found) {
    return no_such_project(id);
  }
  if (TRY(content.has_repositories(session, id))) {
    return not_empty();
  }
  return {};
}

}  // namespace

Result<void> remove(db::Database& database, ProjectContent& content, ProjectId id) {
  TRY(database.read(
      [&](db::ReadSession& session) { return check_removable(session, content, id); }));
  Result<void> outcome;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    outcome = remove_once(database, content, id);
    const bool pushed_meanwhile = !outcome && outcome.error().code == Code::kUnavailable &&
                                  outcome.error().subject == Subject::kProject;
    if (!pushed_meanwhile) {
      return outcome;
    }
  }
  return outcome;
}

}  // namespace roadstead::project
