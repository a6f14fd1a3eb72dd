#pragma once

#include <string_view>

#include "auth/authenticator.h"
#include "auth/token_service.h"
#include "db/database.h"
#include "http/endpoint.h"

namespace roadstead::api {

/// What the token service works with; outlives the endpoint.
struct TokenEndpointParts {
  db::Database& database;
  auth::Authenticator& authenticator;
  auth::TokenService& tokens;
};

/// GET /service/token?service=harbor-registry&scope=…: exchanges Basic credentials, or none, for a
/// bearer token of the registry API. Several scopes come as several parameters or separated by
/// blanks. A token holds all actions that the caller has on each repository, whatever was asked
/// for. Wrong credentials are as none: without a scope 401, with one a token that permits what
/// anyone may. Other methods are 405, which makes clients that try POST first fall back to GET.
class TokenEndpoint final : public http::Endpoint {
 public:
  explicit TokenEndpoint(const TokenEndpointParts& parts) : parts_(parts) {}

  [[nodiscard]] std::string_view name() const override { return "GET /service/token"; }
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override;
  http::Response handle(const http::Request& request, http::Context& context) override;

 private:
  TokenEndpointParts parts_;
};

}  // namespace roadstead::api
