#include <array>
#include <optional>
#include <string>

#include "api/v2/internal/groups.h"
#include "auth/permission.h"
#include "auth/project_access.h"
#include "base/text.h"
#include "json/json.h"

namespace roadstead::api::internal {
namespace {

const Schema& permission_schema() {
  static const Schema kSchema{"Permission",
                              {{"resource", Type::kString}, {"action", Type::kString}}};
  return kSchema;
}

struct SystemRow {
  std::string_view resource;
  std::string_view actions;  ///< Separated by blanks.
};

// What a system administrator may do outside of projects, as clients know it.
constexpr std::array kSystemRows{
    SystemRow{"catalog", "read"},
    SystemRow{"audit-log", "list"},
    SystemRow{"project", "create read update delete list"},
    SystemRow{"user", "create read update delete list"},
    SystemRow{"user-group", "create read update delete list"},
    SystemRow{"registry", "create read update delete list"},
    SystemRow{"replication", "create read update list delete"},
    SystemRow{"distribution", "create read update delete list"},
    SystemRow{"garbage-collection", "create read update delete list"},
    SystemRow{"scan-all", "create read update delete list stop"},
    SystemRow{"system-volumes", "read"},
    SystemRow{"ldap-user", "create list"},
    SystemRow{"configuration", "read update"},
    SystemRow{"jobservice-monitor", "read list stop"},
    SystemRow{"security-hub", "read list"},
};

void write_permission(json::Writer& w, std::string_view resource, std::string_view action) {
  w.begin_object();
  w.member("resource", resource);
  w.member("action", action);
  w.end_object();
}

void write_system(json::Writer& w) {
  for (const SystemRow& row : kSystemRows) {
    for (const std::string_view action : split(row.actions, ' ')) {
      write_permission(w, row.resource, action);
    }
  }
}

/// "/project/1/member", or "member" and "." for relative ones.
std::string resource_name(auth::Resource resource, std::int64_t project, bool relative) {
  const bool itself = resource == auth::Resource::kProject;
  if (relative) {
    return itself ? "." : std::string(auth::to_string(resource));
  }
  std::string name = "/project/" + std::to_string(project);
  if (!itself) {
    name.append("/").append(auth::to_string(resource));
  }
  return name;
}

struct InProject {
  std::optional<auth::Role> role;
  bool is_public = false;

  [[nodiscard]] bool allows(auth::Resource resource, auth::Action action) const {
    return (role && auth::role_allows(*role, resource, action)) ||
           (is_public && auth::public_allows(resource, action));
  }
};

void write_project(json::Writer& w, const InProject& rights, std::int64_t project, bool relative) {
  for (std::size_t r = 0; r < auth::kProjectResourceCount; ++r) {
    for (std::size_t a = 0; a < auth::kActionCount; ++a) {
      const auto resource = static_cast<auth::Resource>(r);
      const auto action = static_cast<auth::Action>(a);
      if (rights.allows(resource, action)) {
        write_permission(w, resource_name(resource, project, relative), auth::to_string(action));
      }
    }
  }
}

Result<InProject> rights_in(const Call& call, db::ReadSession& session, std::int64_t project) {
  if (call.sysadmin) {
    return InProject{.role = auth::Role::kProjectAdmin, .is_public = false};
  }
  const auto access = TRY(auth::ProjectAccess::read(session, call.caller, ProjectId{project}));
  if (!access) {
    return InProject{};
  }
  return InProject{.role = access->role(), .is_public = access->is_public()};
}

Result<http::Response> permissions(const Call& call, db::ReadSession& session) {
  constexpr std::string_view kProjectPrefix = "/project/";
  const std::string scope = call.query_text("scope");
  json::Writer w;
  w.begin_array();
  if (scope == "/system" && call.sysadmin) {
    write_system(w);
  } else if (scope.starts_with(kProjectPrefix)) {
    const auto project = parse_int64(std::string_view(scope).substr(kProjectPrefix.size()));
    if (project) {
      const InProject rights = TRY(rights_in(call, session, *project));
      write_project(w, rights, *project, call.query_flag("relative").value_or(false));
    }
  }
  w.end_array();
  return json_response(w.take());
}

}  // namespace

void add_permission_operations(std::vector<Operation>& operations, const V2Parts& /*parts*/) {
  operations.push_back(
      {http::Method::kGet, "/users/current/permissions", auth::Permission::authenticated(),
       reads(permissions),
       Documentation{.id = "getCurrentUserPermissions",
                     .summary = "What the caller may do",
                     .tag = "user",
                     .parameters = {{.name = "scope", .description = "/system or /project/<id>"},
                                    {.name = "relative",
                                     .type = Type::kBoolean,
                                     .description = "names without the project's"}},
                     .response = &permission_schema(),
                     .response_is_list = true,
                     .cheap = true}});
}

}  // namespace roadstead::api::internal
