#include <algorithm>
#include <utility>

#include "api/operation/listing.h"
#include "api/v2/internal/artifact_json.h"
#include "api/v2/internal/groups.h"
#include "api/v2/internal/repository_names.h"
#include "json/json.h"
#include "registry/remove.h"

namespace roadstead::api::internal {
namespace {

constexpr std::string_view kCollection =
    "/projects/{project_name}/repositories/{repository_name}/artifacts";
constexpr std::string_view kSingle =
    "/projects/{project_name}/repositories/{repository_name}/artifacts/{reference}";
constexpr std::string_view kTags =
    "/projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/tags";
constexpr std::string_view kTag =
    "/projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/tags/{tag_name}";

/// "artifact art/app:v1 not found", with '@' before a digest.
Error no_such_artifact(const Call& call) {
  const std::string_view reference = call.path_text("reference");
  const auto parsed = model::parse_reference(reference);
  const bool digest = parsed && std::holds_alternative<model::Digest>(*parsed);
  std::string message = "artifact ";
  message.append(call.path_text("project_name")).append("/");
  message.append(call.path_text("repository_name")).append(digest ? "@" : ":");
  message.append(reference).append(" not found");
  return {Code::kNotFound, Subject::kManifest, std::move(message), {}};
}

Error no_such_tag(std::string_view tag, ArtifactId artifact) {
  return {Code::kNotFound,
          Subject::kTag,
          "tag " + std::string(tag) + " attached to artifact " + std::to_string(artifact.value) +
              " not found",
          {}};
}

Result<registry::ArtifactRow> artifact_of(const Call& call, db::ReadSession& session) {
  const auto reference = model::parse_reference(call.path_text("reference"));
  const auto repository = repository_of(call, session);
  if (!repository && repository.error().code != Code::kNotFound) {
    return repository.error();
  }
  if (!reference || !repository) {
    return no_such_artifact(call);
  }
  auto row = TRY(registry::get_artifact(session, repository->id, *reference));
  if (!row) {
    return no_such_artifact(call);
  }
  return std::move(*row);
}

/// Whether "tags" and "base" are asked for in a way that they can be.
Result<void> check_filters(const auth::ListQuery& query) {
  using Kind = auth::Filter::Kind;
  if (const auto* tags = query.find("tags");
      tags != nullptr && tags->kind != Kind::kExact && tags->kind != Kind::kFuzzy) {
    return Error{Code::kInvalid,
                 Subject::kTag,
                 "the value of \"tags\" query can only be fuzzy match value or exact match value",
                 {}};
  }
  if (const auto* base = query.find("base");
      base != nullptr && (base->kind != Kind::kExact || base->values.front() != "*")) {
    return Error{Code::kInvalid,
                 Subject::kArtifact,
                 "the value of \"base\" query can only be exact match value with \"*\"",
                 {}};
  }
  return {};
}

Result<http::Response> list_artifacts(const Call& call, db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  TRY(check_filters(query));
  auth::Page<registry::ArtifactRow> page;
  const auto repository = repository_of(call, session);
  if (repository) {
    page = TRY(registry::list_artifacts(session, repository->id, query));
  } else if (repository.error().code != Code::kNotFound) {
    return repository.error();
  }
  const bool with_tags = call.query_flag("with_tag").value_or(true);
  json::Writer w;
  w.begin_array();
  for (const registry::ArtifactRow& row : page.items) {
    write_artifact(w, row, repository->name, with_tags);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> get_artifact(const Call& call, db::ReadSession& session) {
  const registry::ArtifactRow row = TRY(artifact_of(call, session));
  std::string name(call.path_text("project_name"));
  name.append("/").append(call.path_text("repository_name"));
  json::Writer w;
  write_artifact(w, row, name, call.query_flag("with_tag").value_or(true));
  return json_response(w.take());
}

Result<http::Response> delete_artifact(const V2Parts& parts, const Call& call) {
  const auto name = repository_name_of(call);
  const auto reference = model::parse_reference(call.path_text("reference"));
  if (!name || !reference) {
    return no_such_artifact(call);
  }
  const registry::Caller caller{
      call.caller, auth::Permission::project(auth::Resource::kArtifact, auth::Action::kDelete)};
  auto removed =
      registry::delete_artifact(parts.database, parts.registry_options, caller, *name, *reference);
  if (!removed && removed.error().code == Code::kNotFound) {
    return no_such_artifact(call);
  }
  if (!removed && removed.error().code == Code::kPrecondition) {
    removed.error().message = "the deleting artifact is referenced by others";
  }
  if (!removed) {
    return removed.error();
  }
  return empty_response();
}

Result<http::Response> list_tags(const Call& call, db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const registry::ArtifactRow row = TRY(artifact_of(call, session));
  const auto page = TRY(registry::list_artifact_tags(session, row.id, query));
  json::Writer w;
  w.begin_array();
  for (const registry::TagRow& tag : page.items) {
    write_tag(w, tag, row.id, row.repository);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> delete_tag(const V2Parts& parts, const Call& call) {
  const std::string_view text = call.path_text("tag_name");
  const registry::ArtifactRow row = TRY(
      parts.database.read([&](db::ReadSession& session) { return artifact_of(call, session); }));
  const auto tag = model::Tag::parse(text);
  const bool attached = std::any_of(row.tags.begin(), row.tags.end(),
                                    [&](const registry::TagRow& t) { return t.name == text; });
  if (!tag || !attached) {
    return no_such_tag(text, row.id);
  }
  const model::RepositoryName name = TRY(repository_name_of(call));
  const registry::Caller caller{
      call.caller, auth::Permission::project(auth::Resource::kTag, auth::Action::kDelete)};
  const auto removed =
      registry::delete_tag(parts.database, parts.registry_options, caller, name, *tag);
  if (!removed && removed.error().code == Code::kNotFound) {
    return no_such_tag(text, row.id);
  }
  if (!removed) {
    return removed.error();
  }
  return empty_response();
}

void add_artifacts(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  const Parameter with_tag{.name = "with_tag",
                           .in = Parameter::In::kQuery,
                           .type = Type::kBoolean,
                           .required = false,
                           .description = "true by default",
                           .max = 0};
  operations.push_back({http::Method::kGet, kCollection,
                        Permission::project(Resource::kArtifact, Action::kList),
                        reads(list_artifacts),
                        Documentation{.id = "listArtifacts",
                                      .summary = "Artifacts of a repository, newest first",
                                      .tag = "artifact",
                                      .parameters = list_parameters({with_tag}),
                                      .response = &artifact_schema(),
                                      .response_is_list = true}});
  operations.push_back({http::Method::kGet, kSingle,
                        Permission::project(Resource::kArtifact, Action::kRead),
                        reads(get_artifact),
                        Documentation{.id = "getArtifact",
                                      .summary = "An artifact, by tag or digest",
                                      .tag = "artifact",
                                      .parameters = {with_tag},
                                      .response = &artifact_schema()}});
  operations.push_back({http::Method::kDelete, kSingle,
                        Permission::project(Resource::kArtifact, Action::kDelete),
                        plain([parts](const Call& call) { return delete_artifact(parts, call); }),
                        Documentation{.id = "deleteArtifact",
                                      .summary = "Deletes an artifact with all its tags",
                                      .tag = "artifact"}});
}

void add_tags(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back({http::Method::kGet, kTags,
                        Permission::project(Resource::kTag, Action::kList), reads(list_tags),
                        Documentation{.id = "listTags",
                                      .summary = "Tags of an artifact",
                                      .tag = "artifact",
                                      .parameters = list_parameters(),
                                      .response = &tag_schema(),
                                      .response_is_list = true}});
  operations.push_back(
      {http::Method::kDelete, kTag, Permission::project(Resource::kTag, Action::kDelete),
       plain([parts](const Call& call) { return delete_tag(parts, call); }),
       Documentation{.id = "deleteTag", .summary = "Removes a tag", .tag = "artifact"}});
}

}  // namespace

void add_artifact_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  add_artifacts(operations, parts);
  add_tags(operations, parts);
}

}  // namespace roadstead::api::internal
