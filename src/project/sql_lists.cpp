#include <string>

#include "project/check.h"
#include "project/internal/lists.h"

namespace roadstead::project::internal {
namespace {

using auth::CountedList;
using auth::ListKey;

ListKey key_from(const db::Row& row) {
  return ListKey{std::string(row.text(0)), {}, 0};
}

Result<std::optional<ListKey>> nth_project(db::ReadSession& session, std::int64_t /*scope*/,
                                           const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT name FROM project /* by name */ WHERE name >= ? ORDER BY name LIMIT 1 OFFSET ?",
      {from.name, skip}, key_from);
}

Result<std::optional<ListKey>> nth_public_project(db::ReadSession& session, std::int64_t /*scope*/,
                                                  const ListKey& from, std::int64_t skip) {
  return session.first(
      "SELECT name FROM project /* by project_public */ WHERE public = 1 AND name >= ? ORDER BY "
      "name LIMIT 1 OFFSET ?",
      {from.name, skip}, key_from);
}

struct Listed {
  ListKey key;
  bool is_public = false;
};
Result<std::optional<Listed>> read_listed(db::ReadSession& session, ProjectId id) {
  return session.first("SELECT name, public FROM project WHERE id = ?", {id},
                       [](const db::Row& row) { return Listed{key_from(row), row.boolean(1)}; });
}

}  // namespace

CountedList all_projects() {
  return {"project", 0, nth_project};
}

CountedList public_projects() {
  return {"public_project", 0, nth_public_project};
}

Result<void> list_project(db::WriteSession& session, ProjectId id) {
  const auto project = TRY(read_listed(session, id));
  if (!project) {
    return {};
  }
  TRY(auth::add_entry(session, all_projects(), project->key));
  return project->is_public ? auth::add_entry(session, public_projects(), project->key)
                            : Result<void>();
}

Result<void> unlist_project(db::WriteSession& session, ProjectId id) {
  const auto project = TRY(read_listed(session, id));
  if (!project) {
    return {};
  }
  TRY(auth::remove_entry(session, all_projects(), project->key));
  return project->is_public ? auth::remove_entry(session, public_projects(), project->key)
                            : Result<void>();
}

Result<void> set_public(db::WriteSession& session, ProjectId id, bool is_public) {
  const auto before = TRY(read_listed(session, id));
  TRY(session.execute("UPDATE project SET public = ?, update_time = ? WHERE id = ?",
                      {is_public, session.now(), id}));
  if (!before || before->is_public == is_public) {
    return {};
  }
  return is_public ? auth::add_entry(session, public_projects(), before->key)
                   : auth::remove_entry(session, public_projects(), before->key);
}

}  // namespace roadstead::project::internal

namespace roadstead::project {

std::vector<auth::CountedList> counted_lists() {
  return {internal::all_projects(), internal::public_projects()};
}

}  // namespace roadstead::project
