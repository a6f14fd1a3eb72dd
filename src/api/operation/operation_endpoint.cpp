#include "api/operation/internal/operation_endpoint.h"

#include <algorithm>

#include "api/operation/errors.h"
#include "api/operation/internal/request_check.h"
#include "auth/user_access.h"
#include "base/text.h"

namespace roadstead::api::internal {
namespace {

constexpr std::size_t kBodyMax = std::size_t{1} << 20U;
constexpr std::string_view kProjectName = "project_name";
constexpr std::string_view kProjectNameOrId = "project_name_or_id";

/// Told to the caller of run() that remembered credentials do not hold: `detail` of an error that
/// never leaves this file.
constexpr std::string_view kStale = "stale credentials";

Error unauthorized() {
  return {Code::kUnauthenticated, Subject::kUser, "unauthorized", {}};
}

Error stale() {
  return {Code::kUnauthenticated, Subject::kUser, "unauthorized", std::string(kStale)};
}

bool is_stale(const Result<http::Response>& outcome) {
  return !outcome && outcome.error().detail == kStale;
}

Error forbidden(std::string_view message) {
  return {Code::kDenied, Subject::kUser, std::string(message), {}};
}

/// Who is asking, as far as the REST API cares: tokens are for the registry only, and wrong
/// credentials are none.
Result<auth::Principal> caller_of(Result<auth::Principal> outcome) {
  if (!outcome && outcome.error().code != Code::kUnauthenticated) {
    return outcome;
  }
  if (!outcome || outcome->scopes.has_value()) {
    return auth::Principal{};
  }
  return outcome;
}

std::string_view authorization_of(const http::Request& request) {
  return request.header("Authorization").value_or(std::string_view{});
}

/// A number, unless the client says that it is a name.
std::optional<std::int64_t> project_id_of(const Call& call, std::string_view text) {
  const auto is_name = call.request.header("X-Is-Resource-Name");
  if (is_name && equals_ignoring_case(*is_name, "true")) {
    return std::nullopt;
  }
  const bool negative = text.starts_with('-');
  const auto number = parse_int64(negative ? text.substr(1) : text);
  return number && negative ? std::optional(-*number) : number;
}

}  // namespace

struct OperationEndpoint::Prepared {
  const http::Request& request;
  http::Query query;
  std::optional<Body> body;
  std::vector<std::pair<std::string_view, std::string>> path;
};

std::vector<std::string_view> parameter_names(std::string_view path) {
  std::vector<std::string_view> names;
  for (const std::string_view segment : split(path, '/')) {
    if (segment.size() > 2 && segment.front() == '{' && segment.back() == '}') {
      names.push_back(segment.substr(1, segment.size() - 2));
    }
  }
  return names;
}

OperationEndpoint::OperationEndpoint(const Operation& operation, std::string_view base,
                                     RouterParts parts)
    : operation_(operation),
      name_(std::string(http::to_string(operation.method)) + " " + std::string(base) +
            std::string(operation.path)),
      path_names_(parameter_names(operation.path)),
      parts_(parts) {}

std::size_t OperationEndpoint::body_max() const {
  return kBodyMax;
}

bool OperationEndpoint::needs_identity() const {
  return operation_.permission.scope() != auth::Permission::Scope::kNobody ||
         !std::holds_alternative<PlainHandler>(operation_.handler);
}

Result<OperationEndpoint::Prepared> OperationEndpoint::prepare(const http::Request& request,
                                                               const http::Context& context) const {
  const Documentation& documentation = operation_.documentation;
  TRY(check_accept(request, documentation.produces));
  auto path = TRY(decode_path(path_names_, context.parameters, documentation.parameters));
  auto query = TRY(check_query(request, documentation.parameters));
  Prepared prepared{
      .request = request, .query = std::move(query), .body = {}, .path = std::move(path)};
  if (documentation.body != nullptr) {
    TRY(check_content_type(request));
    auto body = TRY(Body::parse(request.body, *documentation.body, documentation.body_name));
    prepared.body.emplace(std::move(body));
  }
  return prepared;
}

Result<void> OperationEndpoint::authorize_project(Call& call, db::ReadSession& session) const {
  const bool by_name =
      std::find(path_names_.begin(), path_names_.end(), kProjectName) != path_names_.end();
  const std::string_view text = call.path_text(by_name ? kProjectName : kProjectNameOrId);
  const auto id = by_name ? std::nullopt : project_id_of(call, text);
  call.project = id ? TRY(auth::ProjectAccess::read(session, call.caller, ProjectId{*id}))
                    : TRY(auth::ProjectAccess::read(session, call.caller, text));
  if (call.project) {
    if (!call.project->credentials_hold(call.caller)) {
      return stale();
    }
    call.sysadmin = call.project->is_sysadmin();
    const auth::Permission& needed = operation_.permission;
    if (call.project->allows(call.caller, needed.resource(), needed.action())) {
      return {};
    }
    return call.signed_in() ? forbidden("forbidden") : unauthorized();
  }
  const auth::UserAccess user = TRY(auth::UserAccess::read(session, call.caller));
  if (!user.credentials_hold(call.caller)) {
    return stale();
  }
  if (user.is_sysadmin(call.caller)) {
    return Error{
        Code::kNotFound, Subject::kProject, "project " + std::string(text) + " not found", {}};
  }
  // Whether a project exists is not told to those who could not see it anyway.
  return call.signed_in() ? forbidden("forbidden") : unauthorized();
}

Result<void> OperationEndpoint::authorize(Call& call, db::ReadSession& session) const {
  using Scope = auth::Permission::Scope;
  const Scope scope = operation_.permission.scope();
  if (scope == Scope::kProject) {
    return authorize_project(call, session);
  }
  const auth::UserAccess user = TRY(auth::UserAccess::read(session, call.caller));
  if (!user.credentials_hold(call.caller)) {
    return stale();
  }
  call.sysadmin = user.is_sysadmin(call.caller);
  if (scope != Scope::kNobody && !call.signed_in()) {
    return unauthorized();
  }
  if (scope == Scope::kSystem && !call.sysadmin) {
    return forbidden(call.caller.name);
  }
  return {};
}

Result<http::Response> OperationEndpoint::run_handler(Call& call) {
  if (const auto* handler = std::get_if<ReadHandler>(&operation_.handler)) {
    return parts_.database.read([&](db::ReadSession& session) -> Result<http::Response> {
      TRY(authorize(call, session));
      return (*handler)(call, session);
    });
  }
  if (const auto* handler = std::get_if<WriteHandler>(&operation_.handler)) {
    return parts_.database.write([&](db::WriteSession& session) -> Result<http::Response> {
      TRY(authorize(call, session));
      return (*handler)(call, session);
    });
  }
  if (needs_identity()) {
    TRY(parts_.database.read([&](db::ReadSession& session) { return authorize(call, session); }));
  }
  return std::get<PlainHandler>(operation_.handler)(call);
}

std::optional<http::Response> OperationEndpoint::run(Prepared& prepared, auth::Principal principal,
                                                     http::Context& context, bool or_retry) {
  context.identity = principal.label();
  Call call{.request = prepared.request,
            .query = prepared.query,
            .body = prepared.body ? prepared.body->fields() : Fields(),
            .path = prepared.path,
            .caller = std::move(principal),
            .sysadmin = false,
            .project = std::nullopt};
  Result<http::Response> outcome = run_handler(call);
  if (is_stale(outcome)) {
    if (or_retry) {
      return std::nullopt;
    }
    // The row changed since the password was checked: what is left is an anonymous request.
    context.identity = auth::Principal{}.label();
    call.caller = auth::Principal{};
    outcome = run_handler(call);
  }
  if (!outcome) {
    return error_response(outcome.error(), context.logger);
  }
  return std::move(*outcome);
}

std::optional<http::Response> OperationEndpoint::try_now(const http::Request& request,
                                                         http::Context& context) {
  const bool local = parts_.database.reads_are_local() || !needs_identity();
  if (!operation_.documentation.cheap || !local || request.has_body) {
    return std::nullopt;
  }
  auth::Principal principal;
  if (needs_identity()) {
    auto outcome =
        parts_.authenticator.try_authenticate(authorization_of(request), request.client_address);
    if (!outcome) {
      return std::nullopt;
    }
    auto caller = caller_of(std::move(*outcome));
    if (!caller) {
      return error_response(caller.error(), context.logger);
    }
    principal = std::move(*caller);
  }
  auto prepared = prepare(request, context);
  if (!prepared) {
    return std::nullopt;  // Told by handle().
  }
  return run(*prepared, std::move(principal), context, true);
}

http::Response OperationEndpoint::handle(const http::Request& request, http::Context& context) {
  auto prepared = prepare(request, context);
  if (!prepared) {
    http::Response response = error_response(prepared.error(), context.logger);
    context.identity = "unknown";  // Nobody asked who it is.
    if (!authorization_of(request).starts_with("Basic ")) {
      response.add_header("WWW-Authenticate", "Basic realm=\"API\"");
    }
    return response;
  }
  auth::Principal principal;
  if (needs_identity()) {
    auto caller = caller_of(
        parts_.authenticator.authenticate(authorization_of(request), request.client_address));
    if (!caller) {
      return error_response(caller.error(), context.logger);
    }
    principal = std::move(*caller);
  }
  return std::move(*run(*prepared, std::move(principal), context, false));
}

}  // namespace roadstead::api::internal
