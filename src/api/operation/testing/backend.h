#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/authenticator.h"
#include "auth/user_store.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/testing/scratch_database.h"
#include "http/endpoint.h"

namespace roadstead::api::testing {

/// A request as a test writes it.
struct Ask {
  http::Method method = http::Method::kGet;
  std::string target;
  std::string as;  ///< A user name (password kPassword), "Bearer …"/"Basic …", or "".
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// A response as a test looks at it.
struct Answer {
  int status = 0;
  std::string body;
  std::string header_block;
  std::string identity;  ///< What the access log would say.
  bool on_io_thread = false;

  /// Value of a header, or "".
  [[nodiscard]] std::string header(std::string_view name) const;
  /// errors[0].code and errors[0].message, or "".
  [[nodiscard]] std::string error_code() const;
  [[nodiscard]] std::string error_message() const;
};

inline constexpr std::string_view kPassword = "Oracle12345";

using Route = std::function<http::Endpoint&(const http::Request&, http::RouteParameters&)>;

/// What lies below the APIs, on a scratch database with its administrator, and a way to send
/// requests without a socket.
class Backend {
 public:
  Backend();

  UserId add_user(const std::string& name);
  /// Routes and answers as the edge does: first try_now(), then handle().
  Answer send(const Route& route, const Ask& ask);

  FakeClock clock;
  log::Sink sink;
  db::testing::ScratchDatabase database;
  auth::PasswordPool passwords;
  auth::UserStore users;
  auth::TokenService tokens;
  auth::LoginThrottle throttle;
  std::unique_ptr<auth::Authenticator> authenticator;
};

}  // namespace roadstead::api::testing
