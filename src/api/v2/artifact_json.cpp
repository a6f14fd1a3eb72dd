#include "api/v2/internal/artifact_json.h"

#include "base/clock.h"

namespace roadstead::api::internal {
namespace {

// What Harbor's clients get for a time that never was.
constexpr std::string_view kNever = "0001-01-01T00:00:00.000Z";

void write_time(json::Writer& w, std::string_view name, const std::optional<Time>& time) {
  if (time) {
    w.member(name, format_rfc3339(*time));
  } else {
    w.member(name, kNever);
  }
}

void write_raw(json::Writer& w, std::string_view name, json::Value value) {
  w.key(name);
  if (value.present()) {
    w.raw(value.to_text());
  } else {
    w.null();
  }
}

/// Of the descriptor in the index; Harbor spells one name of it in its own way.
void write_platform(json::Writer& w, json::Value platform) {
  w.key("platform");
  w.begin_object();
  write_raw(w, "OsFeatures", platform["os.features"]);
  for (const std::string_view name : {"architecture", "os"}) {
    w.member(name, platform[name].as_string().value_or(std::string_view{}));
  }
  for (const std::string_view name : {"os.version", "variant"}) {
    if (const auto text = platform[name].as_string()) {
      w.member(name, *text);
    }
  }
  w.end_object();
}

void write_child(json::Writer& w, const registry::ChildRow& child, ArtifactId parent) {
  w.begin_object();
  w.member("child_digest", child.digest);
  w.member("child_id", child.child.value);
  w.member("parent_id", parent.value);
  const auto descriptor = json::Document::parse(child.descriptor);
  const json::Value root = descriptor ? descriptor->root() : json::Value();
  if (root["annotations"].present()) {
    write_raw(w, "annotations", root["annotations"]);
  }
  if (root["platform"].is_object()) {
    write_platform(w, root["platform"]);
  }
  write_raw(w, "urls", root["urls"]);
  w.end_object();
}

void write_children(json::Writer& w, const registry::ArtifactRow& row) {
  w.key("references");
  if (row.children.empty()) {
    w.null();
    return;
  }
  w.begin_array();
  for (const registry::ChildRow& child : row.children) {
    write_child(w, child, row.id);
  }
  w.end_array();
}

void write_tags(json::Writer& w, const registry::ArtifactRow& row, bool with_tags) {
  w.key("tags");
  if (!with_tags || row.tags.empty()) {
    w.null();
    return;
  }
  w.begin_array();
  for (const registry::TagRow& tag : row.tags) {
    write_tag(w, tag, row.id, row.repository);
  }
  w.end_array();
}

/// A stored JSON object, left out when there is nothing in it.
void write_object(json::Writer& w, std::string_view name, std::string_view text) {
  if (!text.empty() && text != "{}") {
    w.key(name);
    w.raw(text);
  }
}

}  // namespace

void write_tag(json::Writer& w, const registry::TagRow& tag, ArtifactId artifact,
               RepositoryId repository) {
  w.begin_object();
  w.member("artifact_id", artifact.value);
  w.member("id", tag.id);
  w.member("immutable", false);
  w.member("name", tag.name);
  write_time(w, "pull_time", tag.pull_time);
  write_time(w, "push_time", tag.push_time);
  w.member("repository_id", repository.value);
  w.end_object();
}

void write_artifact(json::Writer& w, const registry::ArtifactRow& row,
                    std::string_view repository_name, bool with_tags) {
  w.begin_object();
  w.key("accessories");
  w.null();
  write_object(w, "annotations", row.annotations);
  if (!row.artifact_type.empty()) {
    w.member("artifact_type", row.artifact_type);
  }
  w.member("digest", row.digest);
  write_object(w, "extra_attrs", row.extra_attributes);
  w.member("id", row.id.value);
  w.key("labels");
  w.null();
  w.member("manifest_media_type", row.manifest_media_type);
  w.member("media_type", row.media_type);
  w.member("project_id", row.project.value);
  write_time(w, "pull_time", row.pull_time);
  write_time(w, "push_time", row.push_time);
  write_children(w, row);
  w.member("repository_id", row.repository.value);
  w.member("repository_name", repository_name);
  w.member("size", row.size);
  write_tags(w, row, with_tags);
  w.member("type", row.type);
  w.end_object();
}

const Schema& tag_schema() {
  static const Schema kSchema{"Tag",
                              {{"id", Type::kInteger},
                               {"repository_id", Type::kInteger},
                               {"artifact_id", Type::kInteger},
                               {"name", Type::kString},
                               {"immutable", Type::kBoolean},
                               {"push_time", Type::kTime},
                               {"pull_time", Type::kTime}}};
  return kSchema;
}

const Schema& artifact_schema() {
  static const Schema kReference{"Reference",
                                 {{"parent_id", Type::kInteger},
                                  {"child_id", Type::kInteger},
                                  {"child_digest", Type::kString},
                                  {"platform", Type::kStringMap},
                                  {"annotations", Type::kStringMap},
                                  {"urls", Type::kList}}};
  static const Schema kSchema{"Artifact",
                              {{"id", Type::kInteger},
                               {"type", Type::kString, "IMAGE, CHART, …"},
                               {"media_type", Type::kString},
                               {"manifest_media_type", Type::kString},
                               {"artifact_type", Type::kString},
                               {"project_id", Type::kInteger},
                               {"repository_id", Type::kInteger},
                               {"repository_name", Type::kString},
                               {"digest", Type::kString},
                               {"size", Type::kInteger},
                               {"push_time", Type::kTime},
                               {"pull_time", Type::kTime},
                               {"annotations", Type::kStringMap},
                               {"extra_attrs", Type::kObject},
                               {"references", Type::kList, "", &kReference},
                               {"tags", Type::kList, "", &tag_schema()}}};
  return kSchema;
}

}  // namespace roadstead::api::internal
