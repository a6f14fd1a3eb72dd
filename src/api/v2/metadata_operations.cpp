#include <string>

#include "api/v2/internal/groups.h"
#include "json/json.h"
#include "project/project_store.h"

namespace roadstead::api::internal {
namespace {

const Schema& metadata_schema() {
  static const Schema kSchema{"Metadata", {}, true};
  return kSchema;
}

/// All of a project's metadata, or only `name` (an empty object when it is not set).
Result<http::Response> metadata_response(const Call& call, db::ReadSession& session,
                                         std::optional<std::string_view> name) {
  const project::Metadata metadata = TRY(project::metadata(session, call.project->project()));
  json::Writer w;
  w.begin_object();
  for (const auto& [key, value] : metadata) {
    if (!name || *name == key) {
      w.member(key, value);
    }
  }
  w.end_object();
  return json_response(w.take());
}

Result<http::Response> add_metadatum(const Call& call, db::WriteSession& session) {
  const auto pairs = call.body.texts();
  if (pairs.size() != 1) {
    return Error{Code::kInvalid, Subject::kMetadata, "only allow one key/value pair", {}};
  }
  TRY(project::add_metadatum(session, call.project->project(), pairs.front().first,
                             pairs.front().second));
  return empty_response();
}

Result<http::Response> set_metadatum(const Call& call, db::WriteSession& session) {
  const std::string_view name = call.path_text("meta_name");
  TRY(project::set_metadatum(session, call.project->project(), name, call.body.text(name)));
  return empty_response();
}

Result<http::Response> remove_metadatum(const Call& call, db::WriteSession& session) {
  TRY(project::remove_metadatum(session, call.project->project(), call.path_text("meta_name")));
  return empty_response();
}

void add_changes(std::vector<Operation>& operations) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kPost, "/projects/{project_name_or_id}/metadatas",
                        Permission::project(Resource::kMetadata, Action::kCreate),
                        writes(add_metadatum),
                        Documentation{.id = "addProjectMetadatas",
                                      .summary = "Sets one metadatum that is not set",
                                      .tag = "projectMetadata",
                                      .body = &metadata_schema(),
                                      .body_name = "metadata"}});
  operations.push_back({http::Method::kPut, "/projects/{project_name_or_id}/metadatas/{meta_name}",
                        Permission::project(Resource::kMetadata, Action::kUpdate),
                        writes(set_metadatum),
                        Documentation{.id = "updateProjectMetadata",
                                      .summary = "Sets one metadatum",
                                      .tag = "projectMetadata",
                                      .body = &metadata_schema(),
                                      .body_name = "metadata"}});
  operations.push_back(
      {http::Method::kDelete, "/projects/{project_name_or_id}/metadatas/{meta_name}",
       Permission::project(Resource::kMetadata, Action::kDelete), writes(remove_metadatum),
       Documentation{.id = "deleteProjectMetadata",
                     .summary = "Forgets one metadatum; none is no error",
                     .tag = "projectMetadata"}});
}

}  // namespace

void add_metadata_operations(std::vector<Operation>& operations, const V2Parts& /*parts*/) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kGet, "/projects/{project_name_or_id}/metadatas",
                        Permission::project(Resource::kMetadata, Action::kList),
                        reads([](const Call& call, db::ReadSession& session) {
                          return metadata_response(call, session, std::nullopt);
                        }),
                        Documentation{.id = "listProjectMetadatas",
                                      .summary = "The metadata of a project",
                                      .tag = "projectMetadata",
                                      .response = &metadata_schema()}});
  operations.push_back({http::Method::kGet, "/projects/{project_name_or_id}/metadatas/{meta_name}",
                        Permission::project(Resource::kMetadata, Action::kRead),
                        reads([](const Call& call, db::ReadSession& session) {
                          return metadata_response(call, session, call.path_text("meta_name"));
                        }),
                        Documentation{.id = "getProjectMetadata",
                                      .summary = "One metadatum of a project",
                                      .tag = "projectMetadata",
                                      .response = &metadata_schema()}});
  add_changes(operations);
}

}  // namespace roadstead::api::internal
