#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/list_query.h"
#include "auth/password_pool.h"
#include "auth/user.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::auth {

/// The accounts of people. Thread-safe. Functions that take a password hash on the password pool
/// before they touch the database, so no transaction waits for a hash.
/// Errors of all functions that take a UserId: kNotFound + kUser.
class UserStore {
 public:
  UserStore(db::Database& database, PasswordPool& passwords)
      : database_(database), passwords_(passwords) {}

  /// Errors: kInvalid + kUser, kConflict + kUser when the name or the e-mail address is taken.
  Result<UserId> create(const NewUser& user);
  Result<User> get(UserId id);
  Result<std::optional<User>> find(std::string_view name);
  /// Without the first administrator, by name unless `query` sorts otherwise.
  Result<Page<User>> list(const ListQuery& query);
  /// Users whose names contain `part`: the page holds those that do so exactly, the total counts
  /// those that do so in any case.
  Result<Page<User>> search(std::string_view part, const ListQuery& query);
  Result<void> update(UserId id, const Profile& profile);
  /// Keeps the row, so that what it did can still be told, but frees name and address for others.
  /// Errors: kDenied + kUser for the first administrator.
  Result<void> remove(UserId id);
  Result<void> set_sysadmin(UserId id, bool sysadmin);

  /// Ends every use of the old password. Errors: kInvalid + kUser when `password` is too weak or
  /// the one that the user already has.
  Result<void> set_password(UserId id, std::string_view password);
  /// As set_password(), for whoever knows the old one. Errors also: kDenied + kUser.
  Result<void> change_password(UserId id, std::string_view old_password, std::string_view password);

 private:
  Result<Credentials> credentials(UserId id);
  Result<bool> is_taken(const NewUser& user);

  db::Database& database_;
  PasswordPool& passwords_;
};

Result<bool> has_administrator(db::Database& database);
/// Creates the first administrator "admin" with this password, unless there is one; true when it
/// was created. `along` runs in the same transaction: what a new installation starts with is there
/// as a whole or not at all. Errors: kInvalid + kUser when the password is too weak.
Result<bool> ensure_administrator(
    db::Database& database, std::string_view password,
    const std::function<Result<void>(db::WriteSession&)>& along = nullptr);

}  // namespace roadstead::auth
