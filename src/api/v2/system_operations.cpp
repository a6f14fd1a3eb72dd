#include <array>

#include "api/token/challenge.h"
#include "api/v2/internal/groups.h"
#include "base/clock.h"
#include "json/json.h"

namespace roadstead::api::internal {
namespace {

const Schema& health_schema() {
  static const Schema kComponent{"ComponentHealthStatus",
                                 {{"name", Type::kString},
                                  {"status", Type::kString, "healthy or unhealthy"},
                                  {"error", Type::kString}}};
  static const Schema kSchema{"OverallHealthStatus",
                              {{"status", Type::kString, "healthy when every component is"},
                               {"components", Type::kList, "", &kComponent}}};
  return kSchema;
}

const Schema& system_schema() {
  static const Schema kSchema{
      "GeneralInfo",
      {{"auth_mode", Type::kString},
       {"banner_message", Type::kString},
       {"current_time", Type::kTime, "Only for those who are signed in, as all below"},
       {"external_url", Type::kString},
       {"harbor_version", Type::kString, "The API that this one is like, and our own version"},
       {"has_ca_root", Type::kBoolean},
       {"notification_enable", Type::kBoolean},
       {"oidc_provider_name", Type::kString},
       {"primary_auth_mode", Type::kBoolean},
       {"project_creation_restriction", Type::kString},
       {"read_only", Type::kBoolean},
       {"registry_storage_provider_name", Type::kString},
       {"registry_url", Type::kString},
       {"self_registration", Type::kBoolean}}};
  return kSchema;
}

Result<http::Response> ping(const Call& /*call*/) {
  http::Response response(200);
  response.set_body(std::string("Pong"), "text/plain");
  return response;
}

/// Clients look for the parts that Harbor has; here they are one process and share its health,
/// except for what it depends on.
Result<http::Response> health(db::Database& database, const std::function<bool()>& store_answers) {
  constexpr std::array<std::string_view, 7> kComponents{"core",  "database", "jobservice", "portal",
                                                        "redis", "registry", "registryctl"};
  const bool database_answers = database.ping().has_value();
  const bool store_there = !store_answers || store_answers();
  json::Writer w;
  w.begin_object();
  w.member("status", database_answers && store_there ? "healthy" : "unhealthy");
  w.key("components");
  w.begin_array();
  for (const std::string_view name : kComponents) {
    const bool healthy = (name != "database" || database_answers) &&
                         ((name != "registry" && name != "registryctl") || store_there);
    w.begin_object();
    w.member("name", name);
    w.member("status", healthy ? "healthy" : "unhealthy");
    if (!healthy) {
      w.member("error",
               name == "database" ? "the database does not answer" : "the storage does not answer");
    }
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return json_response(w.take());
}

/// "registry.example.com:5000" of "https://registry.example.com:5000".
std::string_view without_scheme(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? url : url.substr(scheme + 3);
}

Result<http::Response> system_info(const Installation& installation, const Call& call, Time now) {
  json::Writer w;
  w.begin_object();
  w.member("auth_mode", "db_auth");
  w.member("banner_message", "");
  if (call.signed_in()) {
    const std::string url =
        origin_of(installation.external_url, call.request.scheme, call.request.host);
    w.member("current_time", format_rfc3339(now));
    w.member("external_url", url);
    w.member("harbor_version", api_version(installation));
    w.member("has_ca_root", false);
    w.member("notification_enable", true);
    w.member("registry_storage_provider_name", installation.storage_provider);
    w.member("registry_url", without_scheme(url));
    w.member("project_creation_restriction", "everyone");
    w.member("read_only", false);
  }
  w.member("oidc_provider_name", "");
  w.member("primary_auth_mode", false);
  w.member("self_registration", false);
  w.end_object();
  return json_response(w.take());
}

}  // namespace

void add_system_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  operations.push_back({http::Method::kGet, "/ping", auth::Permission::open(), plain(ping),
                        Documentation{.id = "getPing",
                                      .summary = "Whether the server answers",
                                      .tag = "ping",
                                      .produces = "text/plain",
                                      .cheap = true}});
  operations.push_back({http::Method::kGet, "/health", auth::Permission::open(),
                        plain([&database = parts.database, store_answers = parts.store_answers](
                                  const Call&) { return health(database, store_answers); }),
                        Documentation{.id = "getHealth",
                                      .summary = "Whether all parts work",
                                      .tag = "health",
                                      .response = &health_schema()}});
  operations.push_back(
      {http::Method::kGet, "/systeminfo", auth::Permission::open(),
       reads([installation = parts.installation](const Call& call, db::ReadSession& session) {
         return system_info(installation, call, session.now());
       }),
       Documentation{.id = "getSystemInfo",
                     .summary = "What a client must know of this installation",
                     .tag = "systeminfo",
                     .response = &system_schema(),
                     .cheap = true}});
}

}  // namespace roadstead::api::internal
