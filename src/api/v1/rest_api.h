#pragma once

#include <memory>
#include <string_view>

#include "api/token/token_endpoint.h"
#include "api/v2/operations.h"
#include "auth/authenticator.h"
#include "auth/token_service.h"
#include "http/endpoint.h"

namespace roadstead::api {

/// What the REST API works with besides V2Parts; outlives it.
struct RestParts {
  V2Parts v2;
  auth::Authenticator& authenticator;
  auth::TokenService& tokens;
};

/// Everything below /api and /service: the REST API, the few old paths that are still asked for,
/// and the token service.
class RestApi final : public http::Application {
 public:
  explicit RestApi(const RestParts& parts);
  ~RestApi() override;
  RestApi(const RestApi&) = delete;
  RestApi& operator=(const RestApi&) = delete;

  http::Endpoint& route(const http::Request& request, http::RouteParameters& parameters) override;
  http::Response refuse(int status, std::string_view path, std::string_view reason) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::api
