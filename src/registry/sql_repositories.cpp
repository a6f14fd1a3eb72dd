#include <array>

#include "auth/sql_filter.h"
#include "registry/listing.h"

namespace roadstead::registry {
namespace {

using auth::ListColumn;

constexpr std::array kColumns{
    ListColumn{"repository_id", "r.id", ListColumn::Type::kInteger},
    ListColumn{"name", "r.full_name", ListColumn::Type::kText},
    ListColumn{"project_id", "r.project_id", ListColumn::Type::kInteger},
    ListColumn{"pull_count", "r.pull_count", ListColumn::Type::kInteger},
    ListColumn{"artifact_count", "r.artifact_count", ListColumn::Type::kInteger},
    ListColumn{"creation_time", "r.creation_time", ListColumn::Type::kTime},
    ListColumn{"update_time", "r.update_time", ListColumn::Type::kTime},
};
constexpr std::string_view kSelect =
    "SELECT r.id, r.project_id, r.full_name, r.description, r.artifact_count, r.pull_count, "
    "r.creation_time, r.update_time FROM repository r";

RepositoryRow repository_from(const db::Row& row) {
  return RepositoryRow{row.id<RepositoryId>(0),
                       row.id<ProjectId>(1),
                       std::string(row.text(2)),
                       std::string(row.text(3)),
                       row.integer(4),
                       row.integer(5),
                       row.time(6),
                       row.time(7)};
}

Result<auth::Page<RepositoryRow>> read_page(db::ReadSession& session, const auth::SqlFilter& filter,
                                            const auth::ListQuery& query) {
  auth::Page<RepositoryRow> page;
  page.total =
      TRY(session.first("SELECT COUNT(*) FROM repository r" + filter.where(), filter.params(),
                        [](const db::Row& row) { return row.integer(0); }))
          .value_or(0);
  std::string sql(kSelect);
  sql += filter.where();
  sql += filter.order_by(query, "r.creation_time DESC", "r.id DESC");
  sql += " LIMIT ? OFFSET ?";
  page.items = TRY(session.all(sql, filter.page_params(query), repository_from));
  return page;
}

}  // namespace

Result<auth::Page<RepositoryRow>> list_repositories(db::ReadSession& session, ProjectId project,
                                                    const auth::ListQuery& query) {
  auth::SqlFilter filter(kColumns);
  filter.require("r.project_id = ?", project);
  filter.require("r.artifact_count > 0");
  TRY(filter.add(query));
  return read_page(session, filter, query);
}

Result<auth::Page<RepositoryRow>> list_all_repositories(db::ReadSession& session,
                                                        const auth::Principal& principal,
                                                        bool sysadmin,
                                                        const auth::ListQuery& query) {
  auth::SqlFilter filter(kColumns);
  filter.require("r.artifact_count > 0");
  if (!sysadmin) {
    // Every role may list repositories; so may anyone in a public project.
    filter.require(
        "r.project_id IN (SELECT id FROM project WHERE public = 1 UNION SELECT project_id FROM "
        "project_member WHERE entity_type = 'u' AND entity_id = ?)",
        principal.user);
  }
  TRY(filter.add(query));
  return read_page(session, filter, query);
}

Result<std::optional<RepositoryRow>> get_repository(db::ReadSession& session, ProjectId project,
                                                    std::string_view path) {
  static const std::string kSql =
      std::string(kSelect) + " WHERE r.project_id = ? AND r.name = ? AND r.artifact_count > 0";
  return session.first(kSql, {project, path}, repository_from);
}

Result<bool> set_description(db::WriteSession& session, ProjectId project, std::string_view path,
                             std::string_view description) {
  const std::int64_t changed = TRY(session.execute(
      "UPDATE repository SET description = ?, update_time = ? WHERE project_id = ? AND name = ? "
      "AND artifact_count > 0",
      {description, session.now(), project, path}));
  return changed > 0;
}

Result<std::int64_t> count_repositories(db::ReadSession& session, ProjectId project) {
  const auto count = TRY(
      session.first("SELECT COUNT(*) FROM repository WHERE project_id = ? AND artifact_count > 0",
                    {project}, [](const db::Row& row) { return row.integer(0); }));
  return count.value_or(0);
}

}  // namespace roadstead::registry
