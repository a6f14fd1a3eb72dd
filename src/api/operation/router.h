#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/operation/operation.h"
#include "auth/authenticator.h"
#include "base/result.h"
#include "db/database.h"
#include "http/endpoint.h"

namespace roadstead::api {

/// What the operations' endpoints work with; outlives the router.
struct RouterParts {
  db::Database& database;
  auth::Authenticator& authenticator;
};

/// Finds the operation of a path below `base` ("/api/v2.0"). Repeated and trailing slashes do not
/// count; a literal segment goes before a parameter. Paths and methods without an operation have
/// endpoints too: 404 and 405 in the form of the REST API.
class Router {
 public:
  /// CHECKs that no two operations have the same method and path and that every parameter of a
  /// path is named once.
  Router(std::string_view base, std::vector<Operation> operations, RouterParts parts);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Whether `path` is this router's to answer.
  [[nodiscard]] bool owns(std::string_view path) const;
  /// The endpoint of an operation, or of a known path whose method is not allowed; null when the
  /// path is unknown.
  [[nodiscard]] http::Endpoint* find(const http::Request& request,
                                     http::RouteParameters& parameters) const;
  /// As above, with an endpoint for unknown paths too: for Application::route().
  [[nodiscard]] http::Endpoint& route(const http::Request& request,
                                      http::RouteParameters& parameters) const;
  [[nodiscard]] std::span<const Operation> operations() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::api
