#include <array>
#include <string>

#include "auth/counted_list.h"
#include "auth/sql_filter.h"
#include "auth/user.h"
#include "project/internal/lists.h"
#include "project/internal/sql_metadata.h"
#include "project/project_store.h"

namespace roadstead::project {
namespace {

// What project_from() reads. There is always an owner; an inner join would let an engine begin with
// the accounts, which are few. The placeholder is the caller's user id.
constexpr std::string_view kSelect =
    "SELECT p.id, p.name, p.owner_id, o.username, p.public, p.creation_time, p.update_time, m.role "
    "FROM project p";
constexpr std::string_view kJoins =
    " LEFT JOIN user_account o ON o.id = p.owner_id "
    "LEFT JOIN project_member m ON m.project_id = p.id AND m.entity_type = 'u' AND m.entity_id = ?";

Project project_from(const db::Row& row) {
  Project project;
  project.id = row.id<ProjectId>(0);
  project.name = row.text(1);
  project.owner = row.id<UserId>(2);
  project.owner_name = row.text(3);
  project.is_public = row.boolean(4);
  project.created_at = row.time(5);
  project.updated_at = row.time(6);
  project.caller_role = auth::role_from_id(row.integer(7));
  return project;
}

/// `index`: a hint, or nothing.
std::string select_projects(std::string_view rest, std::string_view index = {}) {
  std::string sql(kSelect);
  return sql.append(index).append(kJoins).append(rest);
}

constexpr std::array kListColumns{
    auth::ListColumn{"project_id", "p.id", auth::ListColumn::Type::kInteger},
    auth::ListColumn{"name", "p.name"},
    auth::ListColumn{"public", "p.public", auth::ListColumn::Type::kBoolean},
    auth::ListColumn{"owner", "o.username"},
    auth::ListColumn{"owner_id", "p.owner_id", auth::ListColumn::Type::kInteger},
    auth::ListColumn{"creation_time", "p.creation_time", auth::ListColumn::Type::kTime},
    auth::ListColumn{"update_time", "p.update_time", auth::ListColumn::Type::kTime},
};

Result<void> insert_rows_of(db::WriteSession& session, ProjectId id, const NewProject& project,
                            const Metadata& metadata) {
  const Time now = session.now();
  TRY(
      session.execute("INSERT INTO project_member (project_id, entity_type, entity_id, role, "
                      "creation_time, update_time) VALUES (?, 'u', ?, ?, ?, ?)",
                      {id, project.owner, static_cast<int>(auth::Role::kProjectAdmin), now, now}));
  TRY(
      session.execute("INSERT INTO quota (project_id, hard_limit, used, creation_time, "
                      "update_time) VALUES (?, ?, 0, ?, ?)",
                      {id, project.storage_limit, now, now}));
  return internal::put_metadata(session, id, metadata);
}

Error taken(const std::string& name) {
  return {Code::kConflict, Subject::kProject, "The project named " + name + " already exists", {}};
}

/// A page in the list's own order: it begins where the list says and reads its own rows only.
Result<auth::Page<Project>> read_counted(db::ReadSession& session, const auth::Principal& caller,
                                         const auth::ListQuery& query, auth::Direction direction,
                                         bool only_public) {
  const auth::CountedList list =
      only_public ? internal::public_projects() : internal::all_projects();
  const auth::PageStart start = TRY(auth::find_page(session, list, query, direction));
  auth::Page<Project> page;
  page.total = start.total;
  if (!start.from) {
    return page;
  }
  std::string sql = only_public
                        ? select_projects(" WHERE p.public = 1 AND", " /* by project_public */")
                        : select_projects(" WHERE", " /* by name */");
  sql += direction == auth::Direction::kUp ? " p.name >= ? ORDER BY p.name LIMIT ?"
                                           : " p.name <= ? ORDER BY p.name DESC LIMIT ?";
  page.items = TRY(session.all(sql, {caller.user, start.from->name, query.limit()}, project_from));
  return page;
}

/// The same for an account: nothing when its projects have to be filtered.
Result<std::optional<auth::Page<Project>>> read_visible(db::ReadSession& session,
                                                        const auth::Principal& caller,
                                                        const Listing& listing,
                                                        auth::Direction direction) {
  auto visible = TRY(internal::visible_names(session, caller.user, listing.query, direction));
  if (!visible) {
    return std::optional<auth::Page<Project>>();
  }
  static const std::string kSql = select_projects(" WHERE p.name = ?");
  auth::Page<Project> page;
  page.total = visible->total;
  for (const std::string& name : visible->names) {
    auto project = TRY(session.first(kSql, {caller.user, name}, project_from));
    if (project) {
      page.items.push_back(std::move(*project));
    }
  }
  return std::optional(std::move(page));
}

Result<auth::Page<Project>> read_filtered(db::ReadSession& session, const auth::Principal& caller,
                                          const Listing& listing) {
  auth::SqlFilter filter(kListColumns);
  filter.bind(caller.user);
  if (!listing.sees_all) {
    const bool anonymous = caller.kind == auth::Principal::Kind::kAnonymous;
    filter.require(anonymous ? "p.public = 1" : "(p.public = 1 OR m.id IS NOT NULL)");
  }
  TRY(filter.add(listing.query));
  auth::Page<Project> page;
  // The same join as below, so that the same conditions hold.
  const std::string counted = "SELECT COUNT(*) FROM (" + select_projects(filter.where()) + ") t";
  const auto total = TRY(
      session.first(counted, filter.params(), [](const db::Row& row) { return row.integer(0); }));
  page.total = total.value_or(0);
  page.items =
      TRY(session.all(select_projects(filter.where()) +
                          filter.order_by(listing.query, "p.name", "p.id") + " LIMIT ? OFFSET ?",
                      filter.page_params(listing.query), project_from));
  return page;
}

/// "public=true" and nothing else: the same for everybody.
bool asks_for_public(const auth::ListQuery& query) {
  using Kind = auth::Filter::Kind;
  return query.filters.size() == 1 && query.filters.front().key == "public" &&
         query.filters.front().kind == Kind::kExact &&
         query.filters.front().values.front() == "true";
}

Result<auth::Page<Project>> read_page(db::ReadSession& session, const auth::Principal& caller,
                                      const Listing& listing) {
  auth::ListQuery query = listing.query;
  const bool anonymous = caller.kind == auth::Principal::Kind::kAnonymous;
  const bool only_public = asks_for_public(query) || (anonymous && !listing.sees_all);
  if (asks_for_public(query)) {
    query.filters.clear();
  }
  const auto direction = auth::own_order(query, "name", auth::Direction::kUp);
  if (!direction) {
    return read_filtered(session, caller, listing);
  }
  if (only_public || listing.sees_all) {
    return read_counted(session, caller, query, *direction, only_public);
  }
  auto visible = TRY(read_visible(session, caller, listing, *direction));
  return visible ? std::move(*visible) : read_filtered(session, caller, listing);
}

}  // namespace

Result<ProjectId> create(db::WriteSession& session, const NewProject& project) {
  TRY(check_project_name(project.name));
  TRY(check_public(project.metadata));
  Metadata metadata = TRY(accepted_metadata(project.metadata));
  metadata.emplace("public", "false");
  NewProject checked = project;
  checked.storage_limit = TRY(check_storage_limit(project.storage_limit));
  if (TRY(exists(session, project.name))) {
    return taken(project.name);
  }
  const Time now = session.now();
  const std::int64_t id =
      TRY(session.insert("INSERT INTO project (name, owner_id, public, creation_time, update_time) "
                         "VALUES (?, ?, ?, ?, ?)",
                         {project.name, project.owner, internal::is_public(metadata), now, now}));
  TRY(insert_rows_of(session, ProjectId{id}, checked, metadata));
  TRY(internal::list_project(session, ProjectId{id}));
  return ProjectId{id};
}

Result<bool> exists(db::ReadSession& session, std::string_view name) {
  const auto found = TRY(session.first("SELECT 1 FROM project WHERE name = ?", {name},
                                       [](const db::Row&) { return true; }));
  return found.has_value();
}

Result<std::optional<Project>> get(db::ReadSession& session, ProjectContent& content,
                                   const auth::Principal& caller, ProjectId id) {
  auto project =
      TRY(session.first(select_projects(" WHERE p.id = ?"), {caller.user, id}, project_from));
  if (project) {
    project->metadata = TRY(metadata(session, id));
    project->repository_count = TRY(content.count_repositories(session, id));
  }
  return project;
}

Result<auth::Page<Project>> list(db::ReadSession& session, ProjectContent& content,
                                 const auth::Principal& caller, const Listing& listing) {
  auto page = TRY(read_page(session, caller, listing));
  for (Project& project : page.items) {
    project.repository_count = TRY(content.count_repositories(session, project.id));
    if (listing.with_metadata) {
      project.metadata = TRY(metadata(session, project.id));
    }
  }
  return page;
}

Result<Summary> summarize(db::ReadSession& session, ProjectContent& content, ProjectId id) {
  Summary summary;
  summary.repository_count = TRY(content.count_repositories(session, id));
  TRY(
      session.each("SELECT m.role, COUNT(*) FROM project_member m "
                   "JOIN user_account u ON u.id = m.entity_id AND u.deleted = 0 "
                   "WHERE m.project_id = ? AND m.entity_type = 'u' GROUP BY m.role",
                   {id}, [&](const db::Row& row) {
                     if (const auto role = auth::role_from_id(row.integer(0))) {
                       summary.members[*role] = row.integer(1);
                     }
                     return true;
                   }));
  TRY(
      session.each("SELECT hard_limit, used + COALESCE((SELECT SUM(d.bytes) FROM quota_delta d "
                   "WHERE d.project_id = q.project_id), 0) - COALESCE((SELECT SUM(s.headroom) FROM "
                   "quota_slice s WHERE s.project_id = q.project_id), 0) FROM quota q WHERE "
                   "q.project_id = ?",
                   {id}, [&](const db::Row& row) {
                     summary.storage_limit = row.integer(0);
                     summary.storage_used = row.integer(1);
                     return false;
                   }));
  return summary;
}

Result<void> create_default_project(db::WriteSession& session) {
  const NewProject library{.name = "library",
                           .owner = auth::kAdministrator,
                           .metadata = {{"public", "true"}},
                           .storage_limit = -1};
  if (!TRY(exists(session, library.name))) {
    TRY(create(session, library));
  }
  return {};
}

}  // namespace roadstead::project
