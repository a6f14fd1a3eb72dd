#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "auth/principal.h"
#include "base/result.h"

namespace roadstead::auth {

/// Turns the value of an Authorization header into a Principal. Thread-safe; the implementation is
/// built by app/.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// What can be told without waiting: no header → anonymous; a bearer token (RS256 verify, 17 µs,
  /// or remembered); remembered Basic credentials. Nothing when a password must be hashed: call
  /// authenticate() on the worker pool. Errors: kUnauthenticated + kToken or kUser.
  virtual std::optional<Result<Principal>> try_authenticate(std::string_view authorization,
                                                            std::string_view client_address) = 0;

  /// As above, hashing when needed on the password pool. Errors: kUnauthenticated (one message for
  /// unknown user and wrong password); kRateLimited when throttled or the password queue is full
  /// (`detail` = seconds to wait).
  virtual Result<Principal> authenticate(std::string_view authorization,
                                         std::string_view client_address) = 0;
};

}  // namespace roadstead::auth
