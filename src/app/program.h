#pragma once

#include <memory>
#include <string_view>

#include "api/oci/api.h"
#include "api/v1/rest_api.h"
#include "http/endpoint.h"

namespace roadstead::app {

/// The endpoints behind the listeners, by prefix of the path.
struct Endpoints {
  api::oci::Api& registry;  ///< /v2
  api::RestApi& rest;       ///< Everything else
  http::Endpoint& metrics;  ///< /metrics
  http::Endpoint& live;     ///< /livez
  http::Endpoint& ready;    ///< /readyz
};

/// Which of them this process serves; probes and metrics always.
struct Served {
  bool registry = true;  ///< /v2, and the tokens for it.
  bool api = true;       ///< The REST API.
};

/// What the main listeners serve: chooses the API by the first part of the path.
class Program final : public http::Application {
 public:
  Program(const Endpoints& endpoints, Served served);
  ~Program() override;
  http::Endpoint& route(const http::Request& request, http::RouteParameters& parameters) override;
  http::Response refuse(int status, std::string_view path, std::string_view reason) override;

 private:
  struct Own;
  Endpoints endpoints_;
  Served served_;
  std::unique_ptr<Own> own_;
};

/// A listener that serves one endpoint on one path and nothing else.
class SinglePath final : public http::Application {
 public:
  SinglePath(std::string_view path, http::Endpoint& endpoint);
  ~SinglePath() override;
  http::Endpoint& route(const http::Request& request, http::RouteParameters& parameters) override;
  http::Response refuse(int status, std::string_view path, std::string_view reason) override;

 private:
  struct Own;
  std::string_view path_;
  http::Endpoint& endpoint_;
  std::unique_ptr<Own> own_;
};

}  // namespace roadstead::app
