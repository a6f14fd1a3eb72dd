#include "app/metrics_endpoint.h"

#include "app/settings.h"
#include "auth/user_access.h"

namespace roadstead::app {

http::Response OpenMetricsEndpoint::handle(const http::Request& /*request*/,
                                           http::Context& /*context*/) {
  http::Response response(200);
  response.set_body(metrics_.expose(), "text/plain; version=0.0.4; charset=utf-8");
  return response;
}

Result<bool> GuardedMetricsEndpoint::may_read(const http::Request& request,
                                              http::Context& context) {
  // A proxy on this machine makes strangers look local; it says so in a header, trusted or not.
  if (is_loopback(request.client_address) && !request.header("X-Forwarded-For") &&
      !request.header("Forwarded")) {
    context.identity = "local";
    return true;
  }
  const auth::Principal principal = TRY(authenticator_.authenticate(
      request.header("Authorization").value_or(""), request.client_address));
  context.identity = principal.label();
  return database_.read([&](db::ReadSession& session) -> Result<bool> {
    const auth::UserAccess access = TRY(auth::UserAccess::read(session, principal));
    return access.credentials_hold(principal) && access.is_sysadmin(principal);
  });
}

http::Response GuardedMetricsEndpoint::handle(const http::Request& request,
                                              http::Context& context) {
  const auto allowed = may_read(request, context);
  if (!allowed || !*allowed) {
    http::Response response(401);
    response.add_header("WWW-Authenticate", "Basic realm=\"roadstead\"");
    response.set_body(
        R"({"errors":[{"code":"UNAUTHORIZED","message":"metrics are for system administrators"}]})",
        "application/json; charset=utf-8");
    return response;
  }
  return OpenMetricsEndpoint::handle(request, context);
}

}  // namespace roadstead::app
