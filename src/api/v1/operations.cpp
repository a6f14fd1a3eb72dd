#include "api/v1/operations.h"

#include "api/token/challenge.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

// Anyone may ask, so the answer tells what API this is and not what runs it.
constexpr std::string_view kApiVersion = "v2.16.0";

Result<http::Response> ping(const Call& /*call*/) {
  return json_response(json::quote("Pong"));
}

Result<http::Response> version(const Call& /*call*/) {
  http::Response response(200);
  response.set_body(std::string(R"({"version":"v2.0"})"), "text/plain; charset=utf-8");
  return response;
}

Result<http::Response> system_info(const Installation& installation, const Call& call) {
  std::string registry =
      origin_of(installation.external_url, call.request.scheme, call.request.host);
  registry.erase(0, registry.find("://") + 3);
  json::Writer w;
  w.begin_object();
  for (const std::string_view absent :
       {"with_notary", "with_clair", "with_admiral", "with_chartmuseum"}) {
    w.member(absent, false);
  }
  w.member("auth_mode", "db_auth");
  w.member("registry_url", registry);
  w.member("project_creation_restriction", "everyone");
  w.member("self_registration", false);
  w.member("has_ca_root", false);
  w.member("harbor_version", kApiVersion);
  w.member("next_scan_all", 0);
  w.key("clair_vulnerability_status");
  w.null();
  w.member("registry_storage_provider_name", installation.storage_provider);
  w.member("read_only", false);
  w.end_object();
  return json_response(w.take());
}

}  // namespace

std::vector<Operation> v1_operations(const Installation& installation) {
  std::vector<Operation> operations;
  operations.push_back({http::Method::kGet, "/ping", auth::Permission::open(), plain(ping),
                        Documentation{.id = "pingV1",
                                      .summary = "Whether the server answers",
                                      .tag = "health",
                                      .cheap = true}});
  operations.push_back({http::Method::kGet, "/version", auth::Permission::open(), plain(version),
                        Documentation{.id = "getVersion",
                                      .summary = "The version of the REST API",
                                      .tag = "health",
                                      .produces = "text/plain",
                                      .cheap = true}});
  operations.push_back(
      {http::Method::kGet, "/systeminfo", auth::Permission::open(),
       plain([installation](const Call& call) { return system_info(installation, call); }),
       Documentation{.id = "getSystemInfoV1",
                     .summary = "What a client of Harbor 1.x must know",
                     .tag = "health",
                     .cheap = true}});
  return operations;
}

}  // namespace roadstead::api
