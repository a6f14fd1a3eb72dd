#include <array>

#include "auth/counted_list.h"
#include "auth/sql_filter.h"
#include "registry/internal/lists.h"
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

/// A list whose pages begin where it says, and what a page of it is read with.
struct Ordered {
  auth::CountedList list;
  auth::Direction direction;
  std::string_view index;  ///< A hint, as db/README.md tells.
  std::string_view up;     ///< From a key upwards.
  std::string_view down;   ///< And downwards.
  bool by_name = false;
};
std::optional<Ordered> by_time(const auth::CountedList& list, std::string_view index,
                               const auth::ListQuery& query) {
  const auto direction = auth::own_order(query, "creation_time", auth::Direction::kDown);
  if (!direction) {
    return std::nullopt;
  }
  return Ordered{
      list, *direction, index,
      " AND (r.creation_time, r.id) >= (?, ?) ORDER BY r.creation_time, r.id LIMIT ?",
      " AND (r.creation_time, r.id) <= (?, ?) ORDER BY r.creation_time DESC, r.id DESC LIMIT ?"};
}

/// Of one project, or of all.
std::optional<Ordered> ordered(std::optional<ProjectId> project, const auth::ListQuery& query) {
  if (auto list =
          project ? by_time(internal::repositories_of(*project), " /* by repository_listed_in */",
                            query)
                  : by_time(internal::all_repositories(), " /* by repository_listed */", query)) {
    return list;
  }
  const auto direction = auth::own_order(query, "name", auth::Direction::kUp);
  if (!direction) {
    return std::nullopt;
  }
  if (project) {
    return Ordered{
        internal::repositories_by_name_of(*project),     *direction,
        " /* by repository_listed_name_in */",           " AND r.name >= ? ORDER BY r.name LIMIT ?",
        " AND r.name <= ? ORDER BY r.name DESC LIMIT ?", true};
  }
  return Ordered{internal::all_repositories_by_name(),
                 *direction,
                 " /* by repository_listed_name */",
                 " AND r.full_name >= ? ORDER BY r.full_name LIMIT ?",
                 " AND r.full_name <= ? ORDER BY r.full_name DESC LIMIT ?",
                 true};
}

Result<auth::Page<RepositoryRow>> read_ordered(db::ReadSession& session,
                                               std::optional<ProjectId> project,
                                               const auth::ListQuery& query,
                                               const Ordered& ordered) {
  const auth::PageStart start =
      TRY(auth::find_page(session, ordered.list, query, ordered.direction));
  auth::Page<RepositoryRow> page;
  page.total = start.total;
  if (!start.from) {
    return page;
  }
  std::string sql(kSelect);
  sql += ordered.index;
  std::vector<db::Param> params;
  if (project) {
    sql += " WHERE r.project_id = ? AND r.listed = 1";
    params.emplace_back(*project);
  } else {
    sql += " WHERE r.listed = 1";
  }
  sql += ordered.direction == auth::Direction::kUp ? ordered.up : ordered.down;
  if (ordered.by_name) {
    params.emplace_back(start.from->name);
  } else {
    params.insert(params.end(), {start.from->time, start.from->id});
  }
  params.emplace_back(query.limit());
  page.items = TRY(session.all(sql, params, repository_from));
  return page;
}

/// A page in another order or of what conditions leave. `whole` is the list that it is a page of
/// when there are no conditions.
Result<auth::Page<RepositoryRow>> read_filtered(db::ReadSession& session,
                                                const auth::SqlFilter& filter,
                                                const auth::ListQuery& query,
                                                const std::optional<auth::CountedList>& whole) {
  auth::Page<RepositoryRow> page;
  if (whole && query.filters.empty()) {
    page.total = TRY(auth::count_entries(session, *whole));
  } else {
    const auto rows =
        TRY(session.first("SELECT COUNT(*) FROM repository r" + filter.where(), filter.params(),
                          [](const db::Row& row) { return row.integer(0); }));
    page.total = rows.value_or(0);
  }
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
  if (const auto list = ordered(project, query)) {
    return read_ordered(session, project, query, *list);
  }
  auth::SqlFilter filter(kColumns);
  filter.require("r.project_id = ?", project);
  filter.require("r.listed = 1");
  TRY(filter.add(query));
  return read_filtered(session, filter, query, internal::repositories_of(project));
}

Result<auth::Page<RepositoryRow>> list_all_repositories(db::ReadSession& session,
                                                        const auth::Principal& principal,
                                                        bool sysadmin,
                                                        const auth::ListQuery& query) {
  if (const auto list = ordered(std::nullopt, query); list && sysadmin) {
    return read_ordered(session, std::nullopt, query, *list);
  }
  auth::SqlFilter filter(kColumns);
  filter.require("r.listed = 1");
  if (!sysadmin) {
    // Every role may list repositories; so may anyone in a public project.
    filter.require(
        "r.project_id IN (SELECT id FROM project WHERE public = 1 UNION SELECT project_id FROM "
        "project_member WHERE entity_type = 'u' AND entity_id = ?)",
        principal.user);
  }
  TRY(filter.add(query));
  return read_filtered(session, filter, query,
                       sysadmin ? std::optional(internal::all_repositories()) : std::nullopt);
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
  return auth::count_entries(session, internal::repositories_of(project));
}

}  // namespace roadstead::registry
