#include "api/operation/listing.h"
#include "api/v2/internal/groups.h"
#include "json/json.h"

namespace roadstead::api::internal {
namespace {

constexpr std::size_t kNameMax = 255;

const Schema& user_schema() {
  static const Schema kSchema{"UserResp",
                              {{"user_id", Type::kInteger},
                               {"username", Type::kString},
                               {"email", Type::kString},
                               {"realname", Type::kString},
                               {"comment", Type::kString},
                               {"sysadmin_flag", Type::kBoolean},
                               {"admin_role_in_auth", Type::kBoolean},
                               {"creation_time", Type::kTime},
                               {"update_time", Type::kTime}}};
  return kSchema;
}

const Schema& found_user_schema() {
  static const Schema kSchema{"UserSearchRespItem",
                              {{"user_id", Type::kInteger}, {"username", Type::kString}}};
  return kSchema;
}

const Schema& new_user_schema() {
  static const Schema kSchema{"UserCreationReq",
                              {{"username", Type::kString, "", nullptr, kNameMax},
                               {"email", Type::kString, "", nullptr, kNameMax},
                               {"realname", Type::kString},
                               {"password", Type::kString},
                               {"comment", Type::kString}}};
  return kSchema;
}

const Schema& profile_schema() {
  static const Schema kSchema{
      "UserProfile",
      {{"email", Type::kString}, {"realname", Type::kString}, {"comment", Type::kString}}};
  return kSchema;
}

const Schema& password_schema() {
  static const Schema kSchema{"PasswordReq",
                              {{"old_password", Type::kString, "Of whoever changes their own"},
                               {"new_password", Type::kString}}};
  return kSchema;
}

const Schema& sysadmin_schema() {
  static const Schema kSchema{"UserSysAdminFlag", {{"sysadmin_flag", Type::kBoolean}}};
  return kSchema;
}

Parameter user_id_parameter() {
  return {.name = "user_id",
          .in = Parameter::In::kPath,
          .type = Type::kInteger,
          .required = true,
          .description = {},
          .max = 0};
}

void write_user(json::Writer& w, const auth::User& user) {
  w.begin_object();
  w.member("admin_role_in_auth", false);
  if (!user.comment.empty()) {
    w.member("comment", user.comment);
  }
  w.member("creation_time", format_rfc3339(user.created_at));
  if (user.email) {
    w.member("email", *user.email);
  }
  w.member("realname", user.realname);
  w.member("sysadmin_flag", user.sysadmin);
  w.member("update_time", format_rfc3339(user.updated_at));
  w.member("user_id", user.id.value);
  w.member("username", user.name);
  w.end_object();
}

Result<http::Response> user_response(const auth::User& user) {
  json::Writer w;
  write_user(w, user);
  return json_response(w.take());
}

UserId user_id_of(const Call& call) {
  return UserId{call.path_integer("user_id")};
}

/// A user's own row, or any for a system administrator.
Result<void> own_or_sysadmin(const Call& call) {
  if (call.sysadmin || user_id_of(call) == call.caller.user) {
    return {};
  }
  return Error{Code::kDenied, Subject::kUser, call.caller.name, {}};
}

auth::Profile profile_of(const Fields& body) {
  return {.email = body.text("email"),
          .realname = body.text("realname"),
          .comment = body.text("comment")};
}

Result<http::Response> create_user(auth::UserStore& users, const Call& call) {
  const UserId id = TRY(users.create({.name = call.body.text("username"),
                                      .password = call.body.text("password"),
                                      .profile = profile_of(call.body)}));
  return created_response(std::string(kV2Base) + "/users/" + std::to_string(id.value));
}

Result<http::Response> list_users(auth::UserStore& users, const Call& call) {
  auth::ListQuery query = TRY(parse_list_query(call.query));
  for (const std::string_view key : {"username", "email"}) {
    const std::string part = call.query_text(key);
    if (!part.empty()) {
      query.filters.push_back(
          {.kind = auth::Filter::Kind::kFuzzy, .key = std::string(key), .values = {part}});
    }
  }
  const auth::Page<auth::User> page = TRY(users.list(query));
  json::Writer w;
  w.begin_array();
  for (const auth::User& user : page.items) {
    write_user(w, user);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> search_users(auth::UserStore& users, const Call& call) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auth::Page<auth::User> page = TRY(users.search(call.query_text("username"), query));
  json::Writer w;
  w.begin_array();
  for (const auth::User& user : page.items) {
    w.begin_object();
    w.member("user_id", user.id.value);
    w.member("username", user.name);
    w.end_object();
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> get_user(auth::UserStore& users, const Call& call) {
  TRY(own_or_sysadmin(call));
  const auth::User user = TRY(users.get(user_id_of(call)));
  return user_response(user);
}

Result<http::Response> update_user(auth::UserStore& users, const Call& call) {
  TRY(own_or_sysadmin(call));
  TRY(users.update(user_id_of(call), profile_of(call.body)));
  return empty_response();
}

Result<http::Response> delete_user(auth::UserStore& users, const Call& call) {
  const UserId id = user_id_of(call);
  if (id == call.caller.user) {
    return Error{Code::kDenied,
                 Subject::kUser,
                 "User with ID " + std::to_string(id.value) + " cannot be deleted",
                 {}};
  }
  TRY(users.remove(id));
  return empty_response();
}

Result<http::Response> set_sysadmin(auth::UserStore& users, const Call& call) {
  TRY(users.set_sysadmin(user_id_of(call), call.body.boolean("sysadmin_flag")));
  return empty_response();
}

Result<http::Response> set_password(auth::UserStore& users, const Call& call) {
  TRY(own_or_sysadmin(call));
  const UserId id = user_id_of(call);
  const std::string password = call.body.text("new_password");
  if (id == call.caller.user) {
    TRY(users.change_password(id, call.body.text("old_password"), password));
  } else {
    TRY(users.set_password(id, password));
  }
  return empty_response();
}

Result<http::Response> set_cli_secret(const Call& /*call*/) {
  return Error{Code::kPrecondition,
               Subject::kUser,
               "unable to update CLI secret under authmode: db_auth",
               {}};
}

Handler with_users(const V2Parts& parts,
                   Result<http::Response> (*handler)(auth::UserStore&, const Call&)) {
  return plain([&users = parts.users, handler](const Call& call) { return handler(users, call); });
}

void add_lists(std::vector<Operation>& operations, const V2Parts& parts) {
  operations.push_back(
      {http::Method::kGet, "/users",
       auth::Permission::system(auth::Resource::kUser, auth::Action::kList),
       with_users(parts, list_users),
       Documentation{.id = "listUsers",
                     .summary = "Accounts, without the first administrator",
                     .tag = "user",
                     .parameters = list_parameters({{.name = "username", .description = "contains"},
                                                    {.name = "email", .description = "contains"}}),
                     .response = &user_schema(),
                     .response_is_list = true}});
  operations.push_back(
      {http::Method::kGet, "/users/search", auth::Permission::authenticated(),
       with_users(parts, search_users),
       Documentation{.id = "searchUsers",
                     .summary = "Names that contain a text",
                     .tag = "user",
                     .parameters = list_parameters({{.name = "username", .required = true}}),
                     .response = &found_user_schema(),
                     .response_is_list = true}});
  operations.push_back({http::Method::kGet, "/users/current", auth::Permission::authenticated(),
                        plain([&users = parts.users](const Call& call) -> Result<http::Response> {
                          const auth::User user = TRY(users.get(call.caller.user));
                          return user_response(user);
                        }),
                        Documentation{.id = "getCurrentUserInfo",
                                      .summary = "Who is asking",
                                      .tag = "user",
                                      .response = &user_schema()}});
}

void add_changes(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kPost, "/users",
                        Permission::system(Resource::kUser, Action::kCreate),
                        with_users(parts, create_user),
                        Documentation{.id = "createUser",
                                      .summary = "Creates an account",
                                      .tag = "user",
                                      .body = &new_user_schema(),
                                      .body_name = "userReq",
                                      .success = 201}});
  operations.push_back({http::Method::kDelete, "/users/{user_id}",
                        Permission::system(Resource::kUser, Action::kDelete),
                        with_users(parts, delete_user),
                        Documentation{.id = "deleteUser",
                                      .summary = "Deletes an account; its name is free then",
                                      .tag = "user",
                                      .parameters = {user_id_parameter()}}});
  operations.push_back(
      {http::Method::kPut, "/users/{user_id}/sysadmin",
       Permission::system(Resource::kUser, Action::kUpdate), with_users(parts, set_sysadmin),
       Documentation{.id = "setUserSysAdmin",
                     .summary = "Makes a system administrator, or an ordinary user",
                     .tag = "user",
                     .parameters = {user_id_parameter()},
                     .body = &sysadmin_schema(),
                     .body_name = "sysadmin_flag"}});
}

void add_own(std::vector<Operation>& operations, const V2Parts& parts) {
  const auto permission = auth::Permission::authenticated();
  operations.push_back({http::Method::kGet, "/users/{user_id}", permission,
                        with_users(parts, get_user),
                        Documentation{.id = "getUser",
                                      .summary = "An account: the own, or any for administrators",
                                      .tag = "user",
                                      .parameters = {user_id_parameter()},
                                      .response = &user_schema()}});
  operations.push_back({http::Method::kPut, "/users/{user_id}", permission,
                        with_users(parts, update_user),
                        Documentation{.id = "updateUserProfile",
                                      .summary = "Changes address, name and comment",
                                      .tag = "user",
                                      .parameters = {user_id_parameter()},
                                      .body = &profile_schema(),
                                      .body_name = "profile"}});
  operations.push_back({http::Method::kPut, "/users/{user_id}/password", permission,
                        with_users(parts, set_password),
                        Documentation{.id = "updateUserPassword",
                                      .summary = "Changes a password",
                                      .tag = "user",
                                      .parameters = {user_id_parameter()},
                                      .body = &password_schema(),
                                      .body_name = "password"}});
  operations.push_back({http::Method::kPut, "/users/{user_id}/cli_secret", auth::Permission::open(),
                        plain(set_cli_secret),
                        Documentation{.id = "setCliSecret",
                                      .summary = "Only with OpenID Connect",
                                      .tag = "user",
                                      .parameters = {user_id_parameter()}}});
}

}  // namespace

void add_user_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  add_lists(operations, parts);
  add_changes(operations, parts);
  add_own(operations, parts);
}

}  // namespace roadstead::api::internal
