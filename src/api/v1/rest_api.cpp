#include "api/v1/rest_api.h"

#include "api/operation/errors.h"
#include "api/operation/router.h"
#include "api/v1/operations.h"
#include "base/text.h"

namespace roadstead::api {
namespace {

/// Paths that nobody serves: an empty 404.
class NothingEndpoint final : public http::Endpoint {
 public:
  [[nodiscard]] std::string_view name() const override { return "not found"; }
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override { return std::size_t{64} << 10U; }
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    return handle(request, context);
  }
  http::Response handle(const http::Request& /*request*/, http::Context& /*context*/) override {
    return http::Response(404);
  }
};

/// Repeated and trailing slashes do not count.
bool is_token_path(std::string_view path) {
  std::string joined;
  for (const std::string_view segment : split(path, '/')) {
    if (!segment.empty()) {
      joined.append("/").append(segment);
    }
  }
  return joined == "/service/token";
}

std::string_view code_of(int status) {
  switch (status) {
    case 408:
      return "REQUEST_TIMEOUT";
    case 413:
      return "REQUEST_ENTITY_TOO_LARGE";
    case 429:
      return "TOO_MANY_REQUEST";
    case 503:
      return "SERVICE_UNAVAILABLE";
    default:
      return "BAD_REQUEST";
  }
}

}  // namespace

struct RestApi::State {
  explicit State(const RestParts& parts)
      : v2(kV2Base, v2_operations(parts.v2), router_parts(parts)),
        v1(kV1Base, v1_operations(parts.v2.installation), router_parts(parts)),
        token({.database = parts.v2.database,
               .authenticator = parts.authenticator,
               .tokens = parts.tokens}) {}

  static RouterParts router_parts(const RestParts& parts) {
    return {.database = parts.v2.database, .authenticator = parts.authenticator};
  }

  Router v2;
  Router v1;
  TokenEndpoint token;
  NothingEndpoint nothing;
};

RestApi::RestApi(const RestParts& parts) : state_(std::make_unique<State>(parts)) {}
RestApi::~RestApi() = default;

http::Endpoint& RestApi::route(const http::Request& request, http::RouteParameters& parameters) {
  if (state_->v2.owns(request.path)) {
    return state_->v2.route(request, parameters);
  }
  if (is_token_path(request.path)) {
    return state_->token;
  }
  http::Endpoint* old = state_->v1.find(request, parameters);
  return old != nullptr ? *old : state_->nothing;
}

http::Response RestApi::refuse(int status, std::string_view /*path*/, std::string_view reason) {
  http::Response response = error_response(status, code_of(status), reason);
  if (status == 503 || status == 429) {
    response.add_header("Retry-After", "1");
  }
  return response;
}

}  // namespace roadstead::api
