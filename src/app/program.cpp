#include "app/program.h"

#include <string>

#include "json/json.h"

namespace roadstead::app {
namespace {

/// The identifier of an error that has no API of its own; those of the distribution specification
/// where one fits.
std::string_view code_of(int status) {
  switch (status) {
    case 404:
      return "NOT_FOUND";
    case 413:
      return "SIZE_INVALID";
    case 429:
      return "TOOMANYREQUESTS";
    case 405:
      return "UNSUPPORTED";
    case 408:
      return "REQUEST_TIMEOUT";
    case 503:
      return "UNAVAILABLE";
    default:
      return status < 500 ? "BAD_REQUEST" : "UNKNOWN";
  }
}

http::Response error_response(int status, std::string_view reason) {
  json::Writer body;
  body.begin_object();
  body.key("errors");
  body.begin_array();
  body.begin_object();
  body.member("code", code_of(status));
  body.member("message", reason);
  body.end_object();
  body.end_array();
  body.end_object();
  http::Response response(status);
  if (status == 503 || status == 429) {
    response.add_header("Retry-After", "1");
  }
  response.set_body(body.take(), "application/json; charset=utf-8");
  return response;
}

class NotFound final : public http::Endpoint {
 public:
  [[nodiscard]] std::string_view name() const override { return "- unknown"; }
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override { return std::size_t{64} << 10U; }
  std::optional<http::Response> try_now(const http::Request& /*request*/,
                                        http::Context& /*context*/) override {
    return error_response(404, "there is nothing here");
  }
};

class Welcome final : public http::Endpoint {
 public:
  [[nodiscard]] std::string_view name() const override { return "GET /"; }
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& /*context*/) override {
    http::Response response(200);
    response.set_body("This is a Roadstead container registry.\nSign in with: docker login " +
                          std::string(request.host) + "\n",
                      "text/plain; charset=utf-8");
    return response;
  }
};

bool is_read(const http::Request& request) {
  return request.method == http::Method::kGet || request.method == http::Method::kHead;
}

}  // namespace

struct Program::Own {
  Welcome welcome;
  NotFound not_found;
};

Program::Program(const Endpoints& endpoints, Served served)
    : endpoints_(endpoints), served_(served), own_(std::make_unique<Own>()) {}

Program::~Program() = default;

http::Endpoint& Program::route(const http::Request& request, http::RouteParameters& parameters) {
  if (api::oci::Api::owns(request.path)) {
    return served_.registry ? endpoints_.registry.route(request, parameters) : own_->not_found;
  }
  if (request.path == "/metrics" && is_read(request)) {
    return endpoints_.metrics;
  }
  if (request.path == "/livez" && is_read(request)) {
    return endpoints_.live;
  }
  if (request.path == "/readyz" && is_read(request)) {
    return endpoints_.ready;
  }
  if (request.path == "/" && is_read(request)) {
    return own_->welcome;
  }
  const bool token = served_.registry && request.path.starts_with("/service/");
  return served_.api || token ? endpoints_.rest.route(request, parameters) : own_->not_found;
}

http::Response Program::refuse(int status, std::string_view path, std::string_view reason) {
  if (api::oci::Api::owns(path)) {
    return api::oci::Api::refuse(status, reason);
  }
  return endpoints_.rest.refuse(status, path, reason);
}

struct SinglePath::Own {
  NotFound not_found;
};

SinglePath::SinglePath(std::string_view path, http::Endpoint& endpoint)
    : path_(path), endpoint_(endpoint), own_(std::make_unique<Own>()) {}

SinglePath::~SinglePath() = default;

http::Endpoint& SinglePath::route(const http::Request& request,
                                  http::RouteParameters& /*parameters*/) {
  if (request.path == path_ && is_read(request)) {
    return endpoint_;
  }
  return own_->not_found;
}

http::Response SinglePath::refuse(int status, std::string_view /*path*/, std::string_view reason) {
  return error_response(status, reason);
}

}  // namespace roadstead::app
