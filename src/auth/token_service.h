#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/principal.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "crypto/jwt.h"

namespace roadstead::auth {

/// What a client asked the token service for: "repository:reg/app:pull,push". The actions asked
/// for do not matter: a token holds all that the caller has.
struct RequestedScope {
  std::string type;
  std::string name;
};

/// "type:name:actions"; the name may hold colons. Two pieces are type and name, one is a type.
RequestedScope parse_scope(std::string_view text);

/// One entry of "access" in a token.
struct Access {
  RequestedScope scope;
  std::vector<std::string_view> actions;  ///< Of static texts: "pull", "push", "delete", "*".
  std::optional<ProjectId> project;
};

struct IssuedToken {
  std::string token;
  std::chrono::seconds lifetime{};
  Time issued_at{};
};

/// Issues and verifies the bearer tokens of the registry API: RS256, verifiable by any registry
/// that trusts the key. What binds a token to the rows that it was made for, the user's id and the
/// projects' ids, is part of its "jti", so the claims are exactly those that clients of Harbor
/// know. Thread-safe.
class TokenService {
 public:
  static constexpr std::string_view kIssuer = "harbor-token-issuer";
  static constexpr std::string_view kAudience = "harbor-registry";

  struct Options {
    std::chrono::seconds lifetime{1'800};
    /// For verified tokens that are remembered; about 2 KB each.
    std::size_t remembered_bytes_max = std::size_t{16} << 20U;
    /// Public keys (PEM) that verify besides the signing one, while keys are being changed.
    std::vector<std::string> more_public_keys;
  };
  TokenService(const Clock& clock, crypto::SigningKey key, const Options& options);
  ~TokenService();
  TokenService(const TokenService&) = delete;
  TokenService& operator=(const TokenService&) = delete;

  /// `access` may be empty: a token that only proves who the caller is.
  [[nodiscard]] IssuedToken issue(const Principal& caller, std::span<const Access> access) const;
  /// Who the token speaks for; its scopes bound it. Remembered until the token expires. Errors:
  /// kUnauthenticated + kToken.
  Result<Principal> verify(std::string_view token);

  /// How often verify() found the token remembered, and how often it had to check the signature.
  struct Statistics {
    std::uint64_t remembered = 0;
    std::uint64_t verified = 0;
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::auth
