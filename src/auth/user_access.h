#pragma once

#include <cstdint>

#include "auth/principal.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::auth {

/// What the user's own row says of a principal, in the session of this very request: for
/// everything that no project rules (ProjectAccess answers for those).
class UserAccess {
 public:
  /// Reads nothing for an anonymous principal.
  static Result<UserAccess> read(db::ReadSession& session, const Principal& principal);

  /// False when the user is gone or disabled, or its password changed since the credentials were
  /// verified. True for anonymous.
  [[nodiscard]] bool credentials_hold(const Principal& principal) const;
  /// A system administrator, by a password and not by a bearer token, whose scopes bound it.
  [[nodiscard]] bool is_sysadmin(const Principal& principal) const;
  /// May list every repository (GET /v2/_catalog): a system administrator, or a token that was
  /// given registry:catalog:* and whose user still is one.
  [[nodiscard]] bool may_list_catalog(const Principal& principal) const;

 private:
  bool exists_ = false;
  bool sysadmin_ = false;
  std::int64_t credential_version_ = 0;
};

}  // namespace roadstead::auth
