#include <string>

#include "api/v2/internal/groups.h"
#include "json/json.h"
#include "project/project_store.h"

namespace roadstead::api::internal {
namespace {

const Schema& metadata_schema() {
  static const Schema schema{"Metadata", {}};
  return schema;
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
}

}  // namespace roadstead::api::internal
