#include "api/oci/internal/endpoint.h"

#include <array>

#include <fmt/format.h>

#include "api/oci/errors.h"
#include "api/token/challenge.h"
#include "http/uri.h"

namespace roadstead::api::oci::internal {
namespace {

std::string_view actions_for(auth::Action action) {
  switch (action) {
    case auth::Action::kPush:
      return "pull,push";
    case auth::Action::kDelete:
      return "delete";
    case auth::Action::kPull:
    case auth::Action::kCreate:
    case auth::Action::kRead:
    case auth::Action::kUpdate:
    case auth::Action::kList:
    case auth::Action::kOperate:
    case auth::Action::kStop:
    case auth::Action::kScannerPull:
      return "pull";
  }
  return "pull";
}

bool reads(http::Method method) {
  return method == http::Method::kGet || method == http::Method::kHead;
}

/// Decodes escapes when there are any; nothing when they are malformed.
std::optional<std::string> decoded(std::string_view text) {
  if (text.find('%') == std::string_view::npos) {
    return std::string(text);
  }
  return http::percent_decode(text);
}

}  // namespace

http::Response answer(int status) {
  http::Response response(status);
  response.add_header("Docker-Distribution-Api-Version", "registry/2.0");
  return response;
}

std::string location(const model::RepositoryName& repository, std::string_view kind,
                     std::string_view last) {
  std::string path("/v2/");
  return path.append(repository.to_string()).append(kind).append(last);
}

std::optional<Error> OciEndpoint::refuse_anonymous(const http::Request& request,
                                                   const http::Context& context,
                                                   const auth::Principal& principal) const {
  if (principal.kind != auth::Principal::Kind::kAnonymous) {
    return std::nullopt;
  }
  const bool has_token = principal.scopes.has_value();
  switch (operation_.permission.scope()) {
    case auth::Permission::Scope::kNobody:
      return std::nullopt;
    case auth::Permission::Scope::kAuthenticated:
      return Error{Code::kUnauthenticated, Subject::kUser, "unauthorized", {}};
    case auth::Permission::Scope::kSystem:
      return std::nullopt;  // The catalog has words of its own.
    case auth::Permission::Scope::kProject:
      // Without credentials nothing is looked up: the client fetches a token first, also for what
      // is public. No token helps against a name that cannot be one.
      if (!has_token && reads(request.method)) {
        const auto repository = repository_of(context);
        if (!repository) {
          return repository.error();
        }
        return Error{Code::kUnauthenticated,
                     Subject::kUser,
                     "authorize header needed to send HEAD to repository",
                     {}};
      }
      return std::nullopt;
  }
  return std::nullopt;
}

std::string OciEndpoint::refusal(const http::Context& context) const {
  const auth::Permission& wanted = operation_.permission;
  if (wanted.scope() != auth::Permission::Scope::kProject) {
    return "unauthorized";
  }
  return fmt::format("unauthorized to access repository: {}, action: {}",
                     decoded(context.parameters[0]).value_or(""), auth::to_string(wanted.action()));
}

Result<auth::Principal> OciEndpoint::accept(Result<auth::Principal> principal,
                                            const http::Request& request,
                                            http::Context& context) const {
  if (!principal) {
    context.identity = "anonymous";
    if (principal.error().code == Code::kUnauthenticated) {
      principal.error().message = refusal(context);
    }
    return principal;
  }
  context.identity = principal->label();
  if (auto error = refuse_anonymous(request, context, *principal)) {
    return std::move(*error);
  }
  return principal;
}

std::optional<Result<auth::Principal>> OciEndpoint::who_now(const http::Request& request,
                                                            http::Context& context) const {
  auto known = services_.authenticator.try_authenticate(
      request.header("Authorization").value_or(""), request.client_address);
  if (!known) {
    return std::nullopt;
  }
  return accept(std::move(*known), request, context);
}

Result<auth::Principal> OciEndpoint::who(const http::Request& request,
                                         http::Context& context) const {
  return accept(services_.authenticator.authenticate(request.header("Authorization").value_or(""),
                                                     request.client_address),
                request, context);
}

http::Response OciEndpoint::refuse(const Error& error, const http::Request& request,
                                   const http::Context& context, std::string_view source) const {
  http::Response response = error_response(error, context.logger);
  if (response.status() != 401) {
    return response;
  }
  const bool had_authorization = request.header("Authorization").has_value();
  if (operation_.permission.scope() == auth::Permission::Scope::kSystem) {
    response.add_header("WWW-Authenticate", basic_challenge());
    return response;
  }
  const std::string origin = origin_of(services_.external_url, request.scheme, request.host);
  std::array<WantedScope, 2> scopes;
  std::size_t count = 0;
  std::string name;
  if (operation_.permission.scope() == auth::Permission::Scope::kProject) {
    name = decoded(context.parameters[0]).value_or("");
    scopes.at(count++) = {name, actions_for(operation_.permission.action())};
    if (!source.empty()) {
      scopes.at(count++) = {source, "pull"};
    }
  }
  response.add_header("WWW-Authenticate",
                      challenge(origin, std::span(scopes.data(), count), had_authorization));
  return response;
}

Result<model::RepositoryName> OciEndpoint::parse_repository(std::string_view text) {
  if (text.find("//") == std::string_view::npos) {
    return model::RepositoryName::parse(text);
  }
  std::string single;
  for (const char c : text) {
    if (c != '/' || single.empty() || single.back() != '/') {
      single += c;
    }
  }
  return model::RepositoryName::parse(single);
}

Result<model::RepositoryName> OciEndpoint::repository_of(const http::Context& context) {
  const std::string_view raw = context.parameters[0];
  if (raw.find('%') == std::string_view::npos) {
    return parse_repository(raw);
  }
  const auto text = decoded(raw);
  if (!text) {
    return Error{Code::kInvalid, Subject::kName, "invalid repository name", {}};
  }
  return parse_repository(*text);
}

Result<std::string> OciEndpoint::reference_text(const http::Context& context) {
  auto text = decoded(context.parameters[1]);
  if (!text) {
    return Error{Code::kInvalid, Subject::kRequest, "the path has a malformed escape", {}};
  }
  return std::move(*text);
}

Result<model::Digest> OciEndpoint::digest_of(const http::Context& context) {
  const std::string text = TRY(reference_text(context));
  return model::Digest::parse(text);
}

}  // namespace roadstead::api::oci::internal
