#include <string>

#include "project/member.h"

namespace roadstead::project {
namespace {

constexpr std::string_view kSelect =
    "SELECT m.id, m.project_id, u.id AS user_id, u.username, m.role FROM project_member m "
    "JOIN user_account u ON u.id = m.entity_id AND u.deleted = 0 "
    "WHERE m.project_id = ? AND m.entity_type = 'u'";

std::string select_members(std::string_view rest) {
  std::string sql(kSelect);
  return sql.append(rest);
}

Member member_from(const db::Row& row) {
  return {.id = row.id<MemberId>(0),
          .project = row.id<ProjectId>(1),
          .user = row.id<UserId>(2),
          .user_name = std::string(row.text(3)),
          .role = auth::role_from_id(row.integer(4)).value_or(auth::Role::kLimitedGuest)};
}

}  // namespace

Result<MemberId> add_member(db::WriteSession& session, ProjectId project, UserId user,
                            auth::Role role) {
  const auto present = TRY(session.first(
      "SELECT 1 FROM project_member WHERE project_id = ? AND entity_type = 'u' AND entity_id = ?",
      {project, user}, [](const db::Row&) { return true; }));
  if (present) {
    return Error{
        Code::kConflict, Subject::kMember, "The project member specified already exist", {}};
  }
  const Time now = session.now();
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO project_member (project_id, entity_type, entity_id, role, creation_time, "
      "update_time) VALUES (?, 'u', ?, ?, ?, ?)",
      {project, user, static_cast<int>(role), now, now}));
  return MemberId{id};
}

Result<Member> get_member(db::ReadSession& session, ProjectId project, MemberId member) {
  auto found = TRY(session.first(select_members(" AND m.id = ?"), {project, member}, member_from));
  if (!found) {
    return Error{Code::kNotFound,
                 Subject::kMember,
                 "the project member is not found, project id " + std::to_string(project.value) +
                     ", member id " + std::to_string(member.value),
                 {}};
  }
  return std::move(*found);
}

Result<auth::Page<Member>> list_members(db::ReadSession& session, ProjectId project,
                                        std::string_view entity_name,
                                        const auth::ListQuery& query) {
  auth::Page<Member> page;
  const auto total =
      TRY(session.first("SELECT COUNT(*) FROM (" + select_members("") + ") t", {project},
                        [](const db::Row& row) { return row.integer(0); }));
  page.total = total.value_or(0);
  if (entity_name.empty()) {
    page.items = TRY(session.all(select_members(" ORDER BY u.username, m.id LIMIT ? OFFSET ?"),
                                 {project, query.limit(), query.offset()}, member_from));
  } else {
    page.items = TRY(session.all(
        select_members(" AND u.username = ? ORDER BY u.username, m.id LIMIT ? OFFSET ?"),
        {project, entity_name, query.limit(), query.offset()}, member_from));
  }
  return page;
}

Result<void> set_role(db::WriteSession& session, ProjectId project, MemberId member,
                      auth::Role role) {
  TRY(
      session.execute("UPDATE project_member SET role = ?, update_time = ? "
                      "WHERE project_id = ? AND id = ?",
                      {static_cast<int>(role), session.now(), project, member}));
  return {};
}

Result<void> remove_member(db::WriteSession& session, ProjectId project, MemberId member) {
  TRY(session.execute("DELETE FROM project_member WHERE project_id = ? AND id = ?",
                      {project, member}));
  return {};
}

}  // namespace roadstead::project
