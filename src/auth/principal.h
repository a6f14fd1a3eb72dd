#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/permission.h"
#include "base/clock.h"
#include "base/strong_id.h"

namespace roadstead::auth {

/// One "access" entry of a bearer token, with what we add to it so that a re-created project is not
/// the old one.
struct GrantedScope {
  std::string repository;  ///< "project/path"
  bool pull = false;
  bool push = false;
  bool remove = false;
  std::optional<ProjectId>
      project;  ///< Present in tokens that this server issued for an existing project.
};

/// Who a request says it is, as far as its credentials prove. Whether that still counts is decided
/// by the rows read in the same request (ProjectAccess): a principal alone permits nothing.
struct Principal {
  enum class Kind : std::uint8_t { kAnonymous, kUser };
  Kind kind = Kind::kAnonymous;
  UserId user;
  std::string name;  ///< User name; empty for anonymous.
  /// What user_account.credential_version must still be; absent for tokens, which outlive a change
  /// of password.
  std::optional<std::int64_t> credential_version;
  /// Present for bearer tokens: the upper bound of what they permit, whatever the rows say.
  std::optional<std::vector<GrantedScope>> scopes;
  bool catalog = false;  ///< The bearer token holds registry:catalog:*.
  Time token_issued_at{};

  /// "user:alice" or "anonymous", for logs.
  [[nodiscard]] std::string label() const;
};

}  // namespace roadstead::auth
