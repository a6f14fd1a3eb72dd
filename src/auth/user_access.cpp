#include "auth/user_access.h"

namespace roadstead::auth {

Result<UserAccess> UserAccess::read(db::ReadSession& session, const Principal& principal) {
  UserAccess access;
  if (principal.kind == Principal::Kind::kAnonymous) {
    return access;
  }
  TRY(
      session.each("SELECT sysadmin, credential_version FROM user_account "
                   "WHERE id = ? AND deleted = 0",
                   {principal.user}, [&](const db::Row& row) {
                     access.exists_ = true;
                     access.sysadmin_ = row.boolean(0);
                     access.credential_version_ = row.integer(1);
                     return false;
                   }));
  return access;
}

bool UserAccess::credentials_hold(const Principal& principal) const {
  if (principal.kind == Principal::Kind::kAnonymous) {
    return true;
  }
  return exists_ && (!principal.credential_version.has_value() ||
                     *principal.credential_version == credential_version_);
}

bool UserAccess::is_sysadmin(const Principal& principal) const {
  return sysadmin_ && !principal.scopes.has_value() && credentials_hold(principal);
}

bool UserAccess::may_list_catalog(const Principal& principal) const {
  const bool bounded_away = principal.scopes.has_value() && !principal.catalog;
  return sysadmin_ && !bounded_away && credentials_hold(principal);
}

}  // namespace roadstead::auth
