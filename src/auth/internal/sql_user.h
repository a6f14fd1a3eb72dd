#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "auth/list_query.h"
#include "auth/user.h"
#include "base/result.h"
#include "db/database.h"

/// The statements on user_account. Deleted accounts are invisible to all of them.
namespace roadstead::auth::internal {

struct NewRow {
  const std::string& name;
  std::optional<std::string> email;
  const std::string& realname;
  const std::string& comment;
  std::string_view password_hash;
  bool sysadmin;
};

Result<UserId> insert_user(db::WriteSession& session, const NewRow& row);
/// Makes an account that nothing refers to yet the administrator's.
Result<void> make_first(db::WriteSession& session, UserId id);
Result<std::optional<User>> select_user(db::ReadSession& session, UserId id);
Result<std::optional<User>> select_user(db::ReadSession& session, std::string_view name);
Result<bool> name_or_email_exists(db::ReadSession& session, std::string_view name,
                                  std::string_view email);
Result<Page<User>> select_users(db::ReadSession& session, const ListQuery& query);
Result<std::optional<Credentials>> select_credentials(db::ReadSession& session, UserId id);
/// By user name, or else by e-mail address.
Result<std::optional<Credentials>> select_credentials(db::ReadSession& session,
                                                      std::string_view login);
/// These return whether there was such a user.
Result<bool> update_profile(db::WriteSession& session, UserId id, const Profile& profile);
Result<bool> update_sysadmin(db::WriteSession& session, UserId id, bool sysadmin);
Result<bool> update_password(db::WriteSession& session, UserId id, std::string_view password_hash);
Result<bool> mark_deleted(db::WriteSession& session, UserId id);
/// Replaces the hash of the same password, unless it was changed meanwhile.
Result<void> upgrade_hash(db::WriteSession& session, const Credentials& old,
                          std::string_view password_hash);

}  // namespace roadstead::auth::internal
