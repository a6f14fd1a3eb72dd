#include "api/token/token_endpoint.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "api/operation/errors.h"
#include "auth/project_access.h"
#include "auth/user_access.h"
#include "base/text.h"
#include "http/uri.h"
#include "json/json.h"
#include "model/reference.h"

namespace roadstead::api {
namespace {

constexpr std::size_t kBodyMax = std::size_t{64} << 10U;
constexpr std::size_t kScopesMax = 64;

http::Response text_response(int status, std::string text) {
  http::Response response(status);
  response.set_body(std::move(text), "text/plain; charset=utf-8");
  return response;
}

/// The scopes of all "scope" parameters.
std::vector<auth::RequestedScope> requested_scopes(const http::Query& query) {
  std::vector<auth::RequestedScope> scopes;
  for (const std::string_view parameter : query.all("scope")) {
    for (const std::string_view scope : split(parameter, ' ')) {
      if (!scope.empty()) {
        scopes.push_back(auth::parse_scope(scope));
      }
    }
  }
  return scopes;
}

Result<auth::Access> repository_access(db::ReadSession& session, const auth::Principal& caller,
                                       const auth::RequestedScope& scope) {
  auth::Access access{.scope = scope, .actions = {}, .project = std::nullopt};
  const auto name = model::RepositoryName::parse(scope.name);
  if (!name) {
    return access;
  }
  const auto project = TRY(auth::ProjectAccess::read(session, caller, name->project()));
  if (!project) {
    return access;
  }
  constexpr std::array kActions{auth::Action::kPull, auth::Action::kPush, auth::Action::kDelete};
  for (const auth::Action action : kActions) {
    if (project->allows(caller, auth::Resource::kRepository, action, scope.name)) {
      access.actions.push_back(auth::to_string(action));
    }
  }
  access.project = project->project();
  return access;
}

/// What the caller may do, read in one snapshot. A caller whose credentials do not count any more
/// becomes anonymous.
Result<std::vector<auth::Access>> read_access(db::ReadSession& session, auth::Principal& caller,
                                              const std::vector<auth::RequestedScope>& scopes) {
  const auth::UserAccess user = TRY(auth::UserAccess::read(session, caller));
  if (!user.credentials_hold(caller)) {
    caller = auth::Principal{};
  }
  std::vector<auth::Access> all;
  for (const auth::RequestedScope& scope : scopes) {
    auth::Access access{.scope = scope, .actions = {}, .project = std::nullopt};
    if (scope.type == "repository") {
      access = TRY(repository_access(session, caller, scope));
    } else if (scope.type == "registry" && scope.name == "catalog" &&
               user.may_list_catalog(caller)) {
      access.actions.emplace_back("*");
    }
    all.push_back(std::move(access));
  }
  return all;
}

http::Response token_response(const auth::IssuedToken& issued) {
  json::Writer w;
  w.begin_object();
  w.member("token", issued.token);
  w.member("access_token", "");
  w.member("expires_in", static_cast<std::int64_t>(issued.lifetime.count()));
  w.member("issued_at", format_rfc3339(issued.issued_at));
  w.end_object();
  http::Response response(200);
  response.set_body(w.take(), "application/json; charset=utf-8");
  return response;
}

}  // namespace

std::size_t TokenEndpoint::body_max() const {
  return kBodyMax;
}

http::Response TokenEndpoint::handle(const http::Request& request, http::Context& context) {
  if (request.method != http::Method::kGet) {
    return text_response(405, "Method Not Allowed\n");
  }
  const auto query = http::Query::parse(request.query);
  if (!query) {
    return text_response(400, "the query is not well encoded or too long");
  }
  const std::string_view service = query->get("service").value_or(std::string_view{});
  if (service != auth::TokenService::kAudience) {
    return text_response(400, "Unable to handle service: " + std::string(service));
  }
  const auto scopes = requested_scopes(*query);
  if (scopes.size() > kScopesMax) {
    return text_response(400, "too many scopes");
  }
  auto outcome = parts_.authenticator.authenticate(
      request.header("Authorization").value_or(std::string_view{}), request.client_address);
  if (!outcome && outcome.error().code != Code::kUnauthenticated) {
    return error_response(outcome.error(), context.logger);
  }
  auth::Principal caller = outcome && !outcome->scopes ? std::move(*outcome) : auth::Principal{};
  const auto access = parts_.database.read(
      [&](db::ReadSession& session) { return read_access(session, caller, scopes); });
  if (!access) {
    return error_response(access.error(), context.logger);
  }
  context.identity = caller.label();
  if (caller.kind == auth::Principal::Kind::kAnonymous && !query->has("scope")) {
    return http::Response(401);
  }
  return token_response(parts_.tokens.issue(caller, *access));
}

}  // namespace roadstead::api
