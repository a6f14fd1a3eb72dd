#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "auth/login_throttle.h"
#include "auth/password_pool.h"
#include "auth/principal.h"
#include "auth/token_service.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::auth {

/// Turns the value of an Authorization header into a Principal. Thread-safe; the implementation is
/// built by app/.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// What can be told without waiting: no header → anonymous; a bearer token (RS256 verify, 17 µs,
  /// or remembered); remembered Basic credentials. Nothing when a password must be hashed: call
  /// authenticate() on the worker pool; do so as well when the rows say that credentials remembered
  /// here do not hold (any more). Errors: kUnauthenticated + kToken or kUser.
  virtual std::optional<Result<Principal>> try_authenticate(std::string_view authorization,
                                                            std::string_view client_address) = 0;

  /// As above, hashing when needed on the password pool. Errors: kUnauthenticated (one message for
  /// unknown user and wrong password); kRateLimited when throttled or the password queue is full
  /// (`detail` = seconds to wait).
  virtual Result<Principal> authenticate(std::string_view authorization,
                                         std::string_view client_address) = 0;
};

/// What the authenticator works with; all of it outlives the authenticator.
struct AuthenticatorParts {
  db::Database& database;
  PasswordPool& passwords;
  TokenService& tokens;
  LoginThrottle& throttle;
  const Clock& clock;
  log::Logger logger;
};

/// Local users by name or e-mail address (Basic) and our own tokens (Bearer).
std::unique_ptr<Authenticator> make_authenticator(const AuthenticatorParts& parts);

}  // namespace roadstead::auth
