#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/operation/operation.h"
#include "api/operation/router.h"
#include "http/endpoint.h"

namespace roadstead::api::internal {

/// Serves one operation: checks the form of the request, finds out who asks, and runs the handler
/// in the session that read the permission.
class OperationEndpoint final : public http::Endpoint {
 public:
  OperationEndpoint(const Operation& operation, std::string_view base, RouterParts parts);

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override;
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override;
  http::Response handle(const http::Request& request, http::Context& context) override;

 private:
  struct Prepared;
  [[nodiscard]] Result<Prepared> prepare(const http::Request& request,
                                         const http::Context& context) const;
  [[nodiscard]] bool needs_identity() const;
  /// Nothing when the credentials turned out not to count although they were remembered, and
  /// `or_retry` asks to be told.
  std::optional<http::Response> run(Prepared& prepared, auth::Principal principal,
                                    http::Context& context, bool or_retry);
  Result<http::Response> run_handler(Call& call);
  Result<void> authorize(Call& call, db::ReadSession& session) const;
  Result<void> authorize_project(Call& call, db::ReadSession& session) const;

  const Operation& operation_;
  std::string name_;
  std::vector<std::string_view> path_names_;  ///< Of the parameters, in the order of the path.
  RouterParts parts_;
};

/// The names in "{…}" of a path.
std::vector<std::string_view> parameter_names(std::string_view path);

}  // namespace roadstead::api::internal
