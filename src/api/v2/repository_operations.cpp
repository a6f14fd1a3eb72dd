#include <utility>

#include "api/operation/listing.h"
#include "api/v2/internal/groups.h"
#include "api/v2/internal/repository_names.h"
#include "json/json.h"
#include "registry/remove.h"

namespace roadstead::api::internal {
namespace {

constexpr std::string_view kSingle = "/projects/{project_name}/repositories/{repository_name}";

const Schema& repository_schema() {
  static const Schema kSchema{"Repository",
                              {{"id", Type::kInteger},
                               {"project_id", Type::kInteger},
                               {"name", Type::kString, "project/path"},
                               {"description", Type::kString},
                               {"artifact_count", Type::kInteger},
                               {"pull_count", Type::kInteger},
                               {"creation_time", Type::kTime},
                               {"update_time", Type::kTime}}};
  return kSchema;
}

void write_repository(json::Writer& w, const registry::RepositoryRow& row) {
  w.begin_object();
  w.member("artifact_count", row.artifact_count);
  w.member("creation_time", format_rfc3339(row.creation_time));
  if (!row.description.empty()) {
    w.member("description", row.description);
  }
  w.member("id", row.id.value);
  w.member("name", row.name);
  w.member("project_id", row.project.value);
  w.member("pull_count", row.pull_count);
  w.member("update_time", format_rfc3339(row.update_time));
  w.end_object();
}

http::Response page_response(const Call& call, const auth::ListQuery& query,
                             const auth::Page<registry::RepositoryRow>& page) {
  json::Writer w;
  w.begin_array();
  for (const registry::RepositoryRow& row : page.items) {
    write_repository(w, row);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> list_all(const Call& call, db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auto page =
      TRY(registry::list_all_repositories(session, call.caller, call.sysadmin, query));
  return page_response(call, query, page);
}

Result<http::Response> list_of_project(const Call& call, db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auto page = TRY(registry::list_repositories(session, call.project->project(), query));
  return page_response(call, query, page);
}

Result<http::Response> get_repository(const Call& call, db::ReadSession& session) {
  const registry::RepositoryRow row = TRY(repository_of(call, session));
  json::Writer w;
  write_repository(w, row);
  return json_response(w.take());
}

Result<http::Response> update_repository(const Call& call, db::WriteSession& session) {
  const model::RepositoryName name = TRY(repository_name_of(call));
  const bool found = TRY(registry::set_description(session, call.project->project(), name.path(),
                                                   call.body.text("description")));
  if (!found) {
    return no_such_repository(name.to_string());
  }
  return empty_response();
}

Result<http::Response> delete_repository(const V2Parts& parts, const Call& call) {
  const model::RepositoryName name = TRY(repository_name_of(call));
  const registry::Caller caller{
      call.caller, auth::Permission::project(auth::Resource::kRepository, auth::Action::kDelete)};
  const auto removed =
      registry::delete_repository(parts.database, parts.registry_options, caller, name);
  if (!removed && removed.error().code == Code::kNotFound) {
    return no_such_repository(name.to_string());
  }
  if (!removed) {
    return removed.error();
  }
  return empty_response();
}

void add_lists(std::vector<Operation>& operations) {
  operations.push_back(
      {http::Method::kGet, "/repositories", auth::Permission::open(), reads(list_all),
       Documentation{.id = "listAllRepositories",
                     .summary = "Repositories of all projects that the caller sees",
                     .tag = "repository",
                     .parameters = list_parameters(),
                     .response = &repository_schema(),
                     .response_is_list = true}});
  operations.push_back({http::Method::kGet, "/projects/{project_name}/repositories",
                        auth::Permission::project(auth::Resource::kRepository, auth::Action::kList),
                        reads(list_of_project),
                        Documentation{.id = "listRepositories",
                                      .summary = "Repositories of a project",
                                      .tag = "repository",
                                      .parameters = list_parameters(),
                                      .response = &repository_schema(),
                                      .response_is_list = true}});
}

}  // namespace

Error no_such_repository(std::string_view name) {
  return {
      Code::kNotFound, Subject::kRepository, "repository " + std::string(name) + " not found", {}};
}

Result<model::RepositoryName> repository_name_of(const Call& call) {
  std::string text(call.path_text("project_name"));
  text.append("/").append(call.path_text("repository_name"));
  auto name = model::RepositoryName::parse(text);
  if (!name) {
    return no_such_repository(text);
  }
  return name;
}

Result<registry::RepositoryRow> repository_of(const Call& call, db::ReadSession& session) {
  const model::RepositoryName name = TRY(repository_name_of(call));
  auto row = TRY(registry::get_repository(session, call.project->project(), name.path()));
  if (!row) {
    return no_such_repository(name.to_string());
  }
  return std::move(*row);
}

void add_repository_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  add_lists(operations);
  operations.push_back({http::Method::kGet, kSingle,
                        Permission::project(Resource::kRepository, Action::kRead),
                        reads(get_repository),
                        Documentation{.id = "getRepository",
                                      .summary = "A repository; slashes in its name are encoded",
                                      .tag = "repository",
                                      .response = &repository_schema(),
                                      .cheap = true}});
  operations.push_back({http::Method::kPut, kSingle,
                        Permission::project(Resource::kRepository, Action::kUpdate),
                        writes(update_repository),
                        Documentation{.id = "updateRepository",
                                      .summary = "Changes the description",
                                      .tag = "repository",
                                      .body = &repository_schema(),
                                      .body_name = "repository"}});
  operations.push_back({http::Method::kDelete, kSingle,
                        Permission::project(Resource::kRepository, Action::kDelete),
                        plain([parts](const Call& call) { return delete_repository(parts, call); }),
                        Documentation{.id = "deleteRepository",
                                      .summary = "Deletes a repository with all its artifacts",
                                      .tag = "repository"}});
}

}  // namespace roadstead::api::internal
