#include <utility>

#include "api/operation/listing.h"
#include "api/v2/internal/groups.h"
#include "json/json.h"
#include "project/member.h"

namespace roadstead::api::internal {
namespace {

constexpr std::string_view kCollection = "/projects/{project_name_or_id}/members";
constexpr std::string_view kSingle = "/projects/{project_name_or_id}/members/{mid}";

const Schema& member_schema() {
  static const Schema kSchema{"ProjectMemberEntity",
                              {{"id", Type::kInteger},
                               {"project_id", Type::kInteger},
                               {"entity_id", Type::kInteger},
                               {"entity_name", Type::kString},
                               {"entity_type", Type::kString, "u: a user"},
                               {"role_id", Type::kInteger},
                               {"role_name", Type::kString}}};
  return kSchema;
}

const Schema& new_member_schema() {
  static const Schema kUser{"UserEntity",
                            {{"user_id", Type::kInteger}, {"username", Type::kString}}};
  static const Schema kGroup{"UserGroup",
                             {{"id", Type::kInteger},
                              {"group_name", Type::kString},
                              {"group_type", Type::kInteger},
                              {"ldap_group_dn", Type::kString}}};
  static const Schema kSchema{"ProjectMember",
                              {{"role_id", Type::kInteger},
                               {"member_user", Type::kObject, "", &kUser},
                               {"member_group", Type::kObject, "", &kGroup}}};
  return kSchema;
}

const Schema& role_schema() {
  static const Schema kSchema{
      "RoleRequest",
      {{"role_id", Type::kInteger,
        "1 administrator, 2 developer, 3 guest, 4 maintainer, 5 limited guest"}}};
  return kSchema;
}

Parameter member_id_parameter() {
  return {.name = "mid",
          .in = Parameter::In::kPath,
          .type = Type::kInteger,
          .required = true,
          .description = {},
          .max = 0};
}

void write_member(json::Writer& w, const project::Member& member) {
  w.begin_object();
  w.member("entity_id", member.user.value);
  w.member("entity_name", member.user_name);
  w.member("entity_type", "u");
  w.member("id", member.id.value);
  w.member("project_id", member.project.value);
  w.member("role_id", static_cast<int>(member.role));
  w.member("role_name", auth::to_string(member.role));
  w.end_object();
}

Error bad_member(std::string message) {
  return {Code::kInvalid, Subject::kMember, std::move(message), {}};
}

Result<auth::Role> role_of(const Fields& body) {
  const std::int64_t id = body.integer("role_id");
  const auto role = auth::role_from_id(id);
  if (!role) {
    return bad_member("the role id " + std::to_string(id) + " is not one of 1 to 5");
  }
  return *role;
}

/// Groups come with directories; there are none yet.
Error no_such_group(const Fields& group) {
  const std::int64_t id = group.integer("id");
  if (id > 0) {
    return bad_member("Group " + std::to_string(id) + " not found");
  }
  const std::string dn = group.text("ldap_group_dn");
  return {Code::kNotFound,
          Subject::kMember,
          (dn.empty() ? group.text("group_name") : dn) + " not found: not supported",
          {}};
}

Result<UserId> user_of(auth::UserStore& users, const Fields& body) {
  const Fields user = body.object("member_user");
  const std::int64_t id = user.integer("user_id");
  const std::string name = user.text("username");
  if (id > 0) {
    const auto found = users.get(UserId{id});
    if (!found && found.error().code == Code::kNotFound) {
      const std::string text = std::to_string(id);
      return bad_member("Failed to get user " + text + ": user " + text + " not found");
    }
    TRY(Result<auth::User>(found));
    return UserId{id};
  }
  if (!name.empty()) {
    const auto found = TRY(users.find(name));
    if (!found) {
      return Error{Code::kNotFound, Subject::kMember, "user " + name + " is not found", {}};
    }
    return found->id;
  }
  if (body.has("member_group")) {
    return no_such_group(body.object("member_group"));
  }
  return bad_member("at least one of member_user or member_group must be provided");
}

Result<http::Response> create_member(const V2Parts& parts, const Call& call) {
  const UserId user = TRY(user_of(parts.users, call.body));
  const auth::Role role = TRY(role_of(call.body));
  const ProjectId project = call.project->project();
  const MemberId id = TRY(parts.database.write([&](db::WriteSession& session) {
    return project::add_member(session, project, user, role);
  }));
  std::string location(kV2Base);
  location.append("/projects/").append(call.path_text("project_name_or_id"));
  return created_response(location.append("/members/").append(std::to_string(id.value)));
}

Result<http::Response> list_members(const Call& call, db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auto page = TRY(project::list_members(session, call.project->project(),
                                              call.query_text("entityname"), query));
  json::Writer w;
  w.begin_array();
  for (const project::Member& member : page.items) {
    write_member(w, member);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<MemberId> member_id_of(const Call& call) {
  const std::int64_t id = call.path_integer("mid");
  if (id == 0) {
    return bad_member("the member id can not be empty!");
  }
  return MemberId{id};
}

Result<http::Response> get_member(const Call& call, db::ReadSession& session) {
  const MemberId id = TRY(member_id_of(call));
  const project::Member member = TRY(project::get_member(session, call.project->project(), id));
  json::Writer w;
  write_member(w, member);
  return json_response(w.take());
}

Result<http::Response> update_member(const Call& call, db::WriteSession& session) {
  const MemberId id = TRY(member_id_of(call));
  const auth::Role role = TRY(role_of(call.body));
  TRY(project::set_role(session, call.project->project(), id, role));
  return empty_response();
}

Result<http::Response> delete_member(const Call& call, db::WriteSession& session) {
  const MemberId id = TRY(member_id_of(call));
  TRY(project::remove_member(session, call.project->project(), id));
  return empty_response();
}

void add_collection(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kGet, kCollection,
                        Permission::project(Resource::kMember, Action::kList), reads(list_members),
                        Documentation{.id = "listProjectMembers",
                                      .summary = "Who is in a project",
                                      .tag = "member",
                                      .parameters = list_parameters(
                                          {{.name = "entityname", .description = "exactly"}}),
                                      .response = &member_schema(),
                                      .response_is_list = true}});
  operations.push_back({http::Method::kPost, kCollection,
                        Permission::project(Resource::kMember, Action::kCreate),
                        plain([parts](const Call& call) { return create_member(parts, call); }),
                        Documentation{.id = "createProjectMember",
                                      .summary = "Adds a user, by id or name",
                                      .tag = "member",
                                      .body = &new_member_schema(),
                                      .body_name = "projectMember",
                                      .success = 201}});
}

void add_single(std::vector<Operation>& operations) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kGet, kSingle,
                        Permission::project(Resource::kMember, Action::kRead), reads(get_member),
                        Documentation{.id = "getProjectMember",
                                      .summary = "One member",
                                      .tag = "member",
                                      .parameters = {member_id_parameter()},
                                      .response = &member_schema()}});
  operations.push_back({http::Method::kPut, kSingle,
                        Permission::project(Resource::kMember, Action::kUpdate),
                        writes(update_member),
                        Documentation{.id = "updateProjectMember",
                                      .summary = "Changes a role",
                                      .tag = "member",
                                      .parameters = {member_id_parameter()},
                                      .body = &role_schema(),
                                      .body_name = "role"}});
  operations.push_back({http::Method::kDelete, kSingle,
                        Permission::project(Resource::kMember, Action::kDelete),
                        writes(delete_member),
                        Documentation{.id = "deleteProjectMember",
                                      .summary = "Removes a member; none is no error",
                                      .tag = "member",
                                      .parameters = {member_id_parameter()}}});
}

}  // namespace

void add_member_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  add_collection(operations, parts);
  add_single(operations);
}

}  // namespace roadstead::api::internal
