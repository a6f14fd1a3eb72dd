#pragma once

#include "auth/authenticator.h"
#include "db/database.h"
#include "http/endpoint.h"
#include "metrics/metrics.h"

namespace roadstead::app {

/// GET /metrics for everybody: behind a listener of its own, which an operator chose to open.
class OpenMetricsEndpoint : public http::Endpoint {
 public:
  explicit OpenMetricsEndpoint(metrics::Registry& metrics) : metrics_(metrics) {}
  [[nodiscard]] std::string_view name() const override { return "GET /metrics"; }
  http::Response handle(const http::Request& request, http::Context& context) override;

 private:
  metrics::Registry& metrics_;
};

/// GET /metrics on the main listeners: for clients of this machine that came without a proxy, and
/// for system administrators.
class GuardedMetricsEndpoint final : public OpenMetricsEndpoint {
 public:
  GuardedMetricsEndpoint(metrics::Registry& metrics, auth::Authenticator& authenticator,
                         db::Database& database)
      : OpenMetricsEndpoint(metrics), authenticator_(authenticator), database_(database) {}
  http::Response handle(const http::Request& request, http::Context& context) override;

 private:
  Result<bool> may_read(const http::Request& request, http::Context& context);

  auth::Authenticator& authenticator_;
  db::Database& database_;
};

}  // namespace roadstead::app
