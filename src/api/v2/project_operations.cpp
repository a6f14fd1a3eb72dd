#include <array>
#include <utility>

#include "api/operation/listing.h"
#include "api/v2/internal/groups.h"
#include "api/v2/internal/project_json.h"
#include "base/text.h"
#include "json/json.h"
#include "project/project_store.h"

namespace roadstead::api::internal {
namespace {

constexpr std::string_view kPath = "/projects/{project_name_or_id}";

const Schema& summary_schema() {
  static const Schema kStorage{"ResourceList", {{"storage", Type::kInteger}}};
  static const Schema kQuota{
      "ProjectSummaryQuota",
      {{"hard", Type::kObject, "", &kStorage}, {"used", Type::kObject, "", &kStorage}}};
  static const Schema kSchema{"ProjectSummary",
                              {{"repo_count", Type::kInteger},
                               {"project_admin_count", Type::kInteger},
                               {"maintainer_count", Type::kInteger},
                               {"developer_count", Type::kInteger},
                               {"guest_count", Type::kInteger},
                               {"limited_guest_count", Type::kInteger},
                               {"quota", Type::kObject, "", &kQuota}}};
  return kSchema;
}

const Schema& deletable_schema() {
  static const Schema kSchema{"ProjectDeletable",
                              {{"deletable", Type::kBoolean}, {"message", Type::kString}}};
  return kSchema;
}

Error no_such_project(std::string_view name) {
  return {Code::kNotFound, Subject::kProject, "project " + std::string(name) + " not found", {}};
}

project::Metadata metadata_of(const Fields& body) {
  constexpr std::array<std::string_view, 12> kKeys{"public",
                                                   "enable_content_trust",
                                                   "enable_content_trust_cosign",
                                                   "prevent_vul",
                                                   "severity",
                                                   "auto_scan",
                                                   "auto_sbom_generation",
                                                   "reuse_sys_cve_allowlist",
                                                   "keep_referrers",
                                                   "retention_id",
                                                   "proxy_speed_kb",
                                                   "max_upstream_conn"};
  const Fields fields = body.object("metadata");
  project::Metadata metadata;
  for (const std::string_view key : kKeys) {
    if (auto value = fields.maybe_text(key)) {
      metadata.emplace(key, std::move(*value));
    }
  }
  return metadata;
}

/// The filters that came before "q=".
void add_own_filters(auth::ListQuery& query, const Call& call) {
  using Kind = auth::Filter::Kind;
  const std::string name = call.query_text("name");
  if (!name.empty()) {
    query.filters.push_back({.kind = Kind::kFuzzy, .key = "name", .values = {name}});
  }
  const std::string owner = call.query_text("owner");
  if (!owner.empty()) {
    query.filters.push_back({.kind = Kind::kExact, .key = "owner", .values = {owner}});
  }
  if (const auto is_public = call.query_flag("public")) {
    query.filters.push_back(
        {.kind = Kind::kExact, .key = "public", .values = {*is_public ? "true" : "false"}});
  }
}

Result<http::Response> list_projects(project::ProjectContent& content, const Call& call,
                                     db::ReadSession& session) {
  project::Listing listing;
  listing.query = TRY(parse_list_query(call.query));
  add_own_filters(listing.query, call);
  listing.sees_all = call.sysadmin;
  listing.with_metadata = call.query_flag("with_detail").value_or(true);
  const auto page = TRY(project::list(session, content, call.caller, listing));
  json::Writer w;
  w.begin_array();
  for (const project::Project& project : page.items) {
    write_project(w, project, listing.with_metadata);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, listing.query, page.total);
  return response;
}

Result<http::Response> head_project(const Call& call, db::ReadSession& session) {
  const std::string name = call.query_text("project_name");
  if (!TRY(project::exists(session, name))) {
    return no_such_project(name);
  }
  return empty_response();
}

/// Projects that mirror another registry are made for one that is known.
Result<void> check_registry(const Call& call) {
  const auto registry = call.body.maybe_integer("registry_id");
  if (!registry) {
    return {};
  }
  if (!call.sysadmin) {
    return Error{
        Code::kDenied, Subject::kProject, "Only system admin can create proxy cache project", {}};
  }
  if (*registry <= 0) {
    return Error{Code::kInvalid,
                 Subject::kProject,
                 "bad request: " + std::to_string(*registry) +
                     " is invalid value of registry_id, it should be geater than 0",
                 {}};
  }
  return Error{Code::kNotFound,
               Subject::kProject,
               "registry " + std::to_string(*registry) + " not found",
               {}};
}

Result<http::Response> create_project(const Call& call, db::WriteSession& session) {
  TRY(check_registry(call));
  project::NewProject asked;
  asked.name = call.body.text("project_name");
  asked.owner = call.caller.user;
  asked.metadata = metadata_of(call.body);
  if (call.body.boolean("public")) {
    asked.metadata.emplace("public", "true");
  }
  if (call.sysadmin) {
    asked.storage_limit = call.body.maybe_integer("storage_limit").value_or(-1);
  }
  const ProjectId id = TRY(project::create(session, asked));
  const auto by_name = call.request.header("X-Resource-Name-In-Location");
  const bool named = by_name && equals_ignoring_case(*by_name, "true");
  return created_response(std::string(kV2Base) + "/projects/" +
                          (named ? asked.name : std::to_string(id.value)));
}

Result<http::Response> get_project(project::ProjectContent& content, const Call& call,
                                   db::ReadSession& session) {
  const auto project = TRY(project::get(session, content, call.caller, call.project->project()));
  if (!project) {
    return no_such_project(call.path_text("project_name_or_id"));
  }
  json::Writer w;
  write_project(w, *project, true);
  return json_response(w.take());
}

Result<http::Response> update_project(const Call& call, db::WriteSession& session) {
  TRY(project::update(session, call.project->project(), metadata_of(call.body)));
  return empty_response();
}

Result<http::Response> delete_project(const V2Parts& parts, const Call& call) {
  Result<void> removed = project::remove(parts.database, parts.content, call.project->project());
  if (!removed && removed.error().code == Code::kNotFound) {
    return no_such_project(call.path_text("project_name_or_id"));
  }
  TRY(std::move(removed));
  return empty_response();
}

Result<http::Response> deletable(project::ProjectContent& content, const Call& call,
                                 db::ReadSession& session) {
  const bool full = TRY(content.has_repositories(session, call.project->project()));
  json::Writer w;
  w.begin_object();
  // "deletable" is left out when false, as clients of Harbor know it.
  if (full) {
    w.member("message", "the project contains repositories, can not be deleted");
  } else {
    w.member("deletable", true);
  }
  w.end_object();
  return json_response(w.take());
}

void write_quota(json::Writer& w, const project::Summary& summary) {
  w.key("quota");
  w.begin_object();
  const auto write_storage = [&](std::string_view name, std::int64_t bytes) {
    w.key(name);
    w.begin_object();
    w.member("storage", bytes);
    w.end_object();
  };
  write_storage("hard", summary.storage_limit);
  write_storage("used", summary.storage_used);
  w.end_object();
}

std::string_view count_name(auth::Role role) {
  switch (role) {
    case auth::Role::kProjectAdmin:
      return "project_admin_count";
    case auth::Role::kMaintainer:
      return "maintainer_count";
    case auth::Role::kDeveloper:
      return "developer_count";
    case auth::Role::kGuest:
      return "guest_count";
    case auth::Role::kLimitedGuest:
      return "limited_guest_count";
  }
  return {};
}

/// Everyone sees the number of repositories; the rest as the role lets see it elsewhere.
Result<http::Response> summary(project::ProjectContent& content, const Call& call,
                               db::ReadSession& session) {
  const project::Summary summary =
      TRY(project::summarize(session, content, call.project->project()));
  const auto may = [&](auth::Resource resource, auth::Action action) {
    return call.project->allows(call.caller, resource, action);
  };
  json::Writer w;
  w.begin_object();
  w.member("repo_count", summary.repository_count);
  if (may(auth::Resource::kMember, auth::Action::kList)) {
    for (const auto& [role, count] : summary.members) {
      w.member(count_name(role), count);
    }
  }
  if (may(auth::Resource::kQuota, auth::Action::kRead)) {
    write_quota(w, summary);
  }
  w.end_object();
  return json_response(w.take());
}

Handler reads_with(const V2Parts& parts,
                   Result<http::Response> (*handler)(project::ProjectContent&, const Call&,
                                                     db::ReadSession&)) {
  return reads([&content = parts.content, handler](const Call& call, db::ReadSession& session) {
    return handler(content, call, session);
  });
}

void add_collection(std::vector<Operation>& operations, const V2Parts& parts) {
  operations.push_back(
      {http::Method::kGet, "/projects", auth::Permission::open(), reads_with(parts, list_projects),
       Documentation{
           .id = "listProjects",
           .summary = "Public projects and those that the caller is a member of",
           .tag = "project",
           .parameters = list_parameters(
               {{.name = "name", .description = "contains"},
                {.name = "public", .type = Type::kBoolean},
                {.name = "owner"},
                {.name = "with_detail", .type = Type::kBoolean, .description = "true by default"}}),
           .response = &project_schema(),
           .response_is_list = true}});
  operations.push_back({http::Method::kHead, "/projects", auth::Permission::authenticated(),
                        reads(head_project),
                        Documentation{.id = "headProject",
                                      .summary = "Whether a name is taken",
                                      .tag = "project",
                                      .parameters = {{.name = "project_name", .required = true}},
                                      .cheap = true}});
  operations.push_back({http::Method::kPost, "/projects", auth::Permission::authenticated(),
                        writes(create_project),
                        Documentation{.id = "createProject",
                                      .summary = "Creates a project; the caller administers it",
                                      .tag = "project",
                                      .body = &project_request_schema(),
                                      .body_name = "project",
                                      .success = 201}});
}

void add_single(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kGet, kPath,
                        Permission::project(Resource::kProject, Action::kRead),
                        reads_with(parts, get_project),
                        Documentation{.id = "getProject",
                                      .summary = "A project",
                                      .tag = "project",
                                      .response = &project_schema(),
                                      .cheap = true}});
  operations.push_back({http::Method::kPut, kPath,
                        Permission::project(Resource::kProject, Action::kUpdate),
                        writes(update_project),
                        Documentation{.id = "updateProject",
                                      .summary = "Changes the metadata that is given",
                                      .tag = "project",
                                      .body = &project_request_schema(),
                                      .body_name = "project"}});
  operations.push_back({http::Method::kDelete, kPath,
                        Permission::project(Resource::kProject, Action::kDelete),
                        plain([parts](const Call& call) { return delete_project(parts, call); }),
                        Documentation{.id = "deleteProject",
                                      .summary = "Deletes a project without repositories",
                                      .tag = "project"}});
}

void add_views(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kGet, "/projects/{project_name_or_id}/_deletable",
                        Permission::project(Resource::kProject, Action::kDelete),
                        reads_with(parts, deletable),
                        Documentation{.id = "getProjectDeletable",
                                      .summary = "Whether DELETE would work",
                                      .tag = "project",
                                      .response = &deletable_schema()}});
  operations.push_back({http::Method::kGet, "/projects/{project_name_or_id}/summary",
                        Permission::project(Resource::kProject, Action::kRead),
                        reads_with(parts, summary),
                        Documentation{.id = "getProjectSummary",
                                      .summary = "Numbers of a project, as far as the caller sees",
                                      .tag = "project",
                                      .response = &summary_schema()}});
}

}  // namespace

void add_project_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  add_collection(operations, parts);
  add_single(operations, parts);
  add_views(operations, parts);
}

}  // namespace roadstead::api::internal
