#include "api/v2/internal/project_json.h"

#include "base/clock.h"

namespace roadstead::api::internal {
namespace {

constexpr std::size_t kNameMax = 255;
// What Harbor's clients get for a time that never was.
constexpr std::string_view kNoTime = "0001-01-01T00:00:00.000Z";

const Schema& metadata_schema() {
  static const Schema kSchema{"ProjectMetadata",
                              {{"public", Type::kString, "true or false"},
                               {"enable_content_trust", Type::kString},
                               {"enable_content_trust_cosign", Type::kString},
                               {"prevent_vul", Type::kString},
                               {"severity", Type::kString},
                               {"auto_scan", Type::kString},
                               {"auto_sbom_generation", Type::kString},
                               {"reuse_sys_cve_allowlist", Type::kString},
                               {"keep_referrers", Type::kString,
                                "true: what is attached to an artifact outlives it (ours)"},
                               {"retention_id", Type::kString},
                               {"proxy_speed_kb", Type::kString},
                               {"max_upstream_conn", Type::kString}}};
  return kSchema;
}

const Schema& allowlist_schema() {
  static const Schema kItem{"CVEAllowlistItem", {{"cve_id", Type::kString}}};
  static const Schema kSchema{"CVEAllowlist",
                              {{"id", Type::kInteger},
                               {"project_id", Type::kInteger},
                               {"expires_at", Type::kInteger},
                               {"items", Type::kList, "", &kItem},
                               {"creation_time", Type::kTime},
                               {"update_time", Type::kTime}}};
  return kSchema;
}

void write_allowlist(json::Writer& w, const project::Project& project, bool detail) {
  w.key("cve_allowlist");
  w.begin_object();
  w.member("creation_time", kNoTime);
  if (detail) {
    w.member("id", project.id.value);
  }
  w.key("items");
  if (detail) {
    w.begin_array();
    w.end_array();
    w.member("project_id", project.id.value);
  } else {
    w.null();
  }
  w.member("update_time", kNoTime);
  w.end_object();
}

void write_roles(json::Writer& w, const project::Project& project) {
  if (!project.caller_role) {
    w.key("current_user_role_ids");
    w.null();
    return;
  }
  const int role = static_cast<int>(*project.caller_role);
  w.member("current_user_role_id", role);
  w.key("current_user_role_ids");
  w.begin_array();
  w.value(role);
  w.end_array();
}

}  // namespace

void write_project(json::Writer& w, const project::Project& project, bool detail) {
  w.begin_object();
  w.member("creation_time", format_rfc3339(project.created_at));
  write_roles(w, project);
  write_allowlist(w, project, detail);
  if (detail) {
    w.key("metadata");
    w.begin_object();
    for (const auto& [name, value] : project.metadata) {
      w.member(name, value);
    }
    w.end_object();
  }
  w.member("name", project.name);
  w.member("owner_id", project.owner.value);
  if (detail) {
    w.member("owner_name", project.owner_name);
  }
  w.member("project_id", project.id.value);
  w.member("repo_count", project.repository_count);
  w.member("update_time", format_rfc3339(project.updated_at));
  w.end_object();
}

const Schema& project_schema() {
  static const Schema kSchema{"Project",
                              {{"project_id", Type::kInteger},
                               {"name", Type::kString},
                               {"owner_id", Type::kInteger},
                               {"owner_name", Type::kString},
                               {"current_user_role_id", Type::kInteger},
                               {"current_user_role_ids", Type::kIntegers},
                               {"repo_count", Type::kInteger},
                               {"metadata", Type::kStringMap},
                               {"cve_allowlist", Type::kObject, "", &allowlist_schema()},
                               {"creation_time", Type::kTime},
                               {"update_time", Type::kTime}}};
  return kSchema;
}

const Schema& project_request_schema() {
  static const Schema kSchema{
      "ProjectReq",
      {{"project_name", Type::kString, "[a-z0-9]+([._-][a-z0-9]+)*", nullptr, kNameMax},
       {"public", Type::kBoolean, "Deprecated: metadata.public"},
       {"metadata", Type::kObject, "", &metadata_schema()},
       {"cve_allowlist", Type::kObject, "", &allowlist_schema()},
       {"storage_limit", Type::kInteger, "Bytes; -1: none. Counts for administrators only"},
       {"registry_id", Type::kInteger}}};
  return kSchema;
}

}  // namespace roadstead::api::internal
