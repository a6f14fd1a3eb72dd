#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/principal.h"
#include "auth/token_service.h"
#include "base/clock.h"
#include "base/result.h"

namespace roadstead::auth::internal {

/// The claims of a token whose signature holds; what they permit is not judged yet.
struct Claims {
  std::string issuer;
  std::vector<std::string> audience;
  Time expires_at{};
  Time not_before{};
  Principal principal;

  [[nodiscard]] bool for_audience(std::string_view name) const;
};

/// The payload of a token as JSON text. Its "jti" is
/// "<user id>.<project id>-<project id>….<32 random hex digits>", with one project id for each
/// entry of "access" and 0 where there is no user or project.
std::string write_claims(const Principal& caller, std::span<const Access> access, Time now,
                         std::chrono::seconds lifetime);

/// Errors: kUnauthenticated + kToken when a claim is missing or has the wrong type.
Result<Claims> read_claims(std::string_view payload);

}  // namespace roadstead::auth::internal
