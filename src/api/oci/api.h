#pragma once

#include <memory>
#include <string_view>

#include "api/oci/services.h"
#include "http/endpoint.h"

namespace roadstead::api::oci {

/// The distribution API below /v2/.
class Api {
 public:
  explicit Api(Services services);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// Whether a path is ours: "/v2" and everything below.
  static bool owns(std::string_view path);
  /// For http::Application::route(); the path is ours.
  http::Endpoint& route(const http::Request& request, http::RouteParameters& parameters);
  /// For http::Application::refuse(): an answer of the edge itself in this API's form.
  static http::Response refuse(int status, std::string_view reason);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::api::oci
