#include <utility>

#include "api/operation/listing.h"
#include "api/operation/time_text.h"
#include "api/v2/internal/groups.h"
#include "api/v2/internal/repository_names.h"
#include "json/json.h"
#include "registry/history.h"
#include "registry/trash.h"

/// What was and can be again. These operations are ours: Harbor has none of these paths.
namespace roadstead::api::internal {
namespace {

constexpr std::string_view kTag =
    "/projects/{project_name}/repositories/{repository_name}/tags/{tag_name}";
constexpr std::string_view kTagHistory =
    "/projects/{project_name}/repositories/{repository_name}/tags/{tag_name}/history";
constexpr std::string_view kTagRestore =
    "/projects/{project_name}/repositories/{repository_name}/tags/{tag_name}/restore";
constexpr std::string_view kProjectTrash = "/projects/{project_name}/trash";
constexpr std::string_view kTrash = "/projects/{project_name}/repositories/{repository_name}/trash";
constexpr std::string_view kTrashRestore =
    "/projects/{project_name}/repositories/{repository_name}/trash/{digest}/restore";

constexpr auto kRead = auth::Permission::project(auth::Resource::kArtifact, auth::Action::kRead);
// Whoever may delete may undo it; every role that may delete may also push.
constexpr auto kUndoArtifact =
    auth::Permission::project(auth::Resource::kArtifact, auth::Action::kDelete);
constexpr auto kUndoTag = auth::Permission::project(auth::Resource::kTag, auth::Action::kDelete);

const Schema& tag_event_schema() {
  static const Schema kSchema{"TagEvent",
                              {{"digest", Type::kString, "what the tag names from then on"},
                               {"operation", Type::kString, "create, move or delete"},
                               {"operator", Type::kString},
                               {"op_time", Type::kTime}}};
  return kSchema;
}

const Schema& tag_at_schema() {
  static const Schema kSchema{
      "TagAt",
      {{"name", Type::kString},
       {"digest", Type::kString},
       {"operator", Type::kString, "who made it name this"},
       {"since", Type::kTime},
       {"until", Type::kTime, "absent while it still does"},
       {"present", Type::kBoolean, "whether the artifact is in the repository now"}}};
  return kSchema;
}

const Schema& trashed_schema() {
  static const Schema kSchema{
      "TrashedArtifact",
      {{"repository_name", Type::kString},
       {"digest", Type::kString},
       {"manifest_media_type", Type::kString},
       {"tags", Type::kList, "it had"},
       {"operator", Type::kString, "who deleted it"},
       {"op_time", Type::kTime},
       {"subject", Type::kString, "digest of the artifact whose deletion took it along"}}};
  return kSchema;
}

const Schema& restored_schema() {
  static const Schema kSchema{
      "RestoredArtifact",
      {{"digest", Type::kString},
       {"tags", Type::kList, "that name it now"},
       {"kept_tags", Type::kList, "it had, and which name something else by now"},
       {"along", Type::kList, "digests of children and referrers that came back too"}}};
  return kSchema;
}

void write_texts(json::Writer& w, std::string_view name, const std::vector<std::string>& texts) {
  w.key(name);
  w.begin_array();
  for (const std::string& text : texts) {
    w.value(text);
  }
  w.end_array();
}

http::Response restored_response(const registry::RestoredArtifact& restored) {
  json::Writer w;
  w.begin_object();
  w.member("digest", restored.digest);
  write_texts(w, "tags", restored.tags);
  write_texts(w, "kept_tags", restored.kept_tags);
  write_texts(w, "along", restored.along);
  w.end_object();
  return json_response(w.take());
}

Error no_such_tag(const Call& call) {
  std::string message("tag ");
  message.append(call.path_text("project_name")).append("/");
  message.append(call.path_text("repository_name")).append(":");
  message.append(call.path_text("tag_name")).append(" not found at that time");
  return {Code::kNotFound, Subject::kTag, std::move(message), {}};
}

Result<http::Response> get_tag_at(const Call& call, db::ReadSession& session) {
  const std::string text = call.query_text("at");
  const auto at = text.empty() ? std::optional(session.now()) : parse_rfc3339(text);
  if (!at) {
    return validation_error("at in query must be an RFC 3339 time: \"" + text + "\"");
  }
  const auto repository = TRY(repository_of(call, session));
  const auto found = TRY(registry::tag_at(session, repository.id, call.path_text("tag_name"), *at));
  if (!found) {
    return no_such_tag(call);
  }
  json::Writer w;
  w.begin_object();
  w.member("name", call.path_text("tag_name"));
  w.member("digest", found->since.digest);
  w.member("operator", found->since.operator_name);
  w.member("since", format_rfc3339(found->since.op_time));
  if (found->until) {
    w.member("until", format_rfc3339(*found->until));
  }
  w.member("present", found->present);
  w.end_object();
  return json_response(w.take());
}

Result<http::Response> list_history(const Call& call, db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auto repository = TRY(repository_of(call, session));
  const auto page =
      TRY(registry::list_tag_history(session, repository.id, call.path_text("tag_name"), query));
  json::Writer w;
  w.begin_array();
  for (const registry::TagEvent& event : page.items) {
    w.begin_object();
    w.member("digest", event.digest);
    w.member("operation", event.operation);
    w.member("operator", event.operator_name);
    w.member("op_time", format_rfc3339(event.op_time));
    w.end_object();
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> trash_response(const Call& call, db::ReadSession& session,
                                      std::string_view repository) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auto page = TRY(registry::list_trash(session, call.project->project(), repository, query));
  json::Writer w;
  w.begin_array();
  for (const registry::TrashedArtifact& item : page.items) {
    w.begin_object();
    w.member("repository_name", item.repository);
    w.member("digest", item.digest);
    w.member("manifest_media_type", item.media_type);
    write_texts(w, "tags", item.tags);
    w.member("operator", item.operator_name);
    w.member("op_time", format_rfc3339(item.op_time));
    if (!item.subject.empty()) {
      w.member("subject", item.subject);
    }
    w.end_object();
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> list_project_trash(const Call& call, db::ReadSession& session) {
  return trash_response(call, session, {});
}

Result<http::Response> list_repository_trash(const Call& call, db::ReadSession& session) {
  // The repository itself may be deleted.
  const model::RepositoryName name = TRY(repository_name_of(call));
  return trash_response(call, session, name.to_string());
}

Result<http::Response> restore_artifact(const V2Parts& parts, const Call& call) {
  const model::RepositoryName name = TRY(repository_name_of(call));
  const model::Digest digest = TRY(model::Digest::parse(call.path_text("digest")));
  const auto restored = TRY(registry::restore_artifact(
      parts.database, parts.registry_options, {call.caller, kUndoArtifact}, name, digest,
      {.move_tags = call.query_flag("move_tags").value_or(false)}));
  return restored_response(restored);
}

Result<http::Response> restore_tag(const V2Parts& parts, const Call& call) {
  const model::RepositoryName name = TRY(repository_name_of(call));
  const model::Tag tag = TRY(model::Tag::parse(call.path_text("tag_name")));
  registry::TagChoice choice;
  choice.move = call.query_flag("move").value_or(false);
  if (const std::string digest = call.query_text("digest"); !digest.empty()) {
    choice.digest = TRY(model::Digest::parse(digest));
  }
  const auto restored = TRY(registry::restore_tag(parts.database, parts.registry_options,
                                                  {call.caller, kUndoTag}, name, tag, choice));
  return restored_response(restored);
}

Parameter query(std::string_view name, Type type, std::string_view description) {
  return {.name = name,
          .in = Parameter::In::kQuery,
          .type = type,
          .required = false,
          .description = description,
          .max = 0};
}

void add_tag_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  operations.push_back(
      {http::Method::kGet, kTag, kRead, reads(get_tag_at),
       Documentation{.id = "getTagAt",
                     .summary = "What a tag named at some time (Roadstead's own)",
                     .tag = "undo",
                     .parameters = {query("at", Type::kString, "RFC 3339; now by default")},
                     .response = &tag_at_schema()}});
  operations.push_back(
      {http::Method::kGet, kTagHistory, kRead, reads(list_history),
       Documentation{.id = "listTagHistory",
                     .summary = "Changes of a tag, newest first, also of a deleted one "
                                "(Roadstead's own)",
                     .tag = "undo",
                     .parameters = list_parameters(),
                     .response = &tag_event_schema(),
                     .response_is_list = true}});
  operations.push_back(
      {http::Method::kPost, kTagRestore, kUndoTag,
       plain([parts](const Call& call) { return restore_tag(parts, call); }),
       Documentation{
           .id = "restoreTag",
           .summary = "Gives a tag back what it named, with the artifact (Roadstead's own)",
           .tag = "undo",
           .parameters = {query("digest", Type::kString,
                                "something it named before; what it named when it was deleted by "
                                "default"),
                          query("move", Type::kBoolean,
                                "although it names something else now; false by default")},
           .response = &restored_schema()}});
}

void add_trash_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  operations.push_back(
      {http::Method::kGet, kProjectTrash, kUndoArtifact, reads(list_project_trash),
       Documentation{.id = "listProjectTrash",
                     .summary = "Deleted artifacts of a project that can be restored, newest first "
                                "(Roadstead's own)",
                     .tag = "undo",
                     .parameters = list_parameters(),
                     .response = &trashed_schema(),
                     .response_is_list = true}});
  operations.push_back(
      {http::Method::kGet, kTrash, kUndoArtifact, reads(list_repository_trash),
       Documentation{.id = "listTrash",
                     .summary = "Deleted artifacts of a repository, which may itself be deleted "
                                "(Roadstead's own)",
                     .tag = "undo",
                     .parameters = list_parameters(),
                     .response = &trashed_schema(),
                     .response_is_list = true}});
  operations.push_back(
      {http::Method::kPost, kTrashRestore, kUndoArtifact,
       plain([parts](const Call& call) { return restore_artifact(parts, call); }),
       Documentation{.id = "restoreArtifact",
                     .summary = "Restores a deleted artifact with its tags (Roadstead's own)",
                     .tag = "undo",
                     .parameters = {query("move_tags", Type::kBoolean,
                                          "take tags back that name something else by now; false "
                                          "by default")},
                     .response = &restored_schema()}});
}

}  // namespace

void add_undo_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  add_tag_operations(operations, parts);
  add_trash_operations(operations, parts);
}

}  // namespace roadstead::api::internal
