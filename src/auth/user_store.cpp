#include "auth/user_store.h"

#include "auth/internal/sql_user.h"
#include "crypto/password.h"

namespace roadstead::auth {
namespace {

// Harbor keeps this name for requests without credentials.
constexpr std::string_view kReservedName = "anonymous";

Error no_such_user(UserId id) {
  return {Code::kNotFound, Subject::kUser, "user " + std::to_string(id.value) + " not found", {}};
}

Error taken(const NewUser& user) {
  return {Code::kConflict,
          Subject::kUser,
          "user " + user.name + " or email " + user.profile.email + " already exists",
          {}};
}

/// Runs one UPDATE and says so when it met no row.
template <typename F>
Result<void> change(db::Database& database, UserId id, F&& update) {
  return database.write([&](db::WriteSession& session) -> Result<void> {
    if (!TRY(update(session))) {
      return no_such_user(id);
    }
    return {};
  });
}

}  // namespace

Result<bool> UserStore::is_taken(const NewUser& user) {
  return database_.read([&](db::ReadSession& session) {
    return internal::name_or_email_exists(session, user.name, user.profile.email);
  });
}

Result<UserId> UserStore::create(const NewUser& user) {
  TRY(check_password(user.password));
  TRY(check_user_name(user.name));
  TRY(check_profile(user.profile));
  if (user.name == kReservedName || TRY(is_taken(user))) {
    return taken(user);
  }
  const std::string hash = TRY(passwords_.hash(user.password));
  Result<UserId> id = database_.write([&](db::WriteSession& session) {
    return internal::insert_user(session, {.name = user.name,
                                           .email = user.profile.email,
                                           .realname = user.profile.realname,
                                           .comment = user.profile.comment,
                                           .password_hash = hash,
                                           .sysadmin = false});
  });
  if (!id && id.error().code == Code::kConflict) {
    return taken(user);
  }
  return id;
}

Result<User> UserStore::get(UserId id) {
  auto user = TRY(
      database_.read([&](db::ReadSession& session) { return internal::select_user(session, id); }));
  if (!user) {
    return no_such_user(id);
  }
  return std::move(*user);
}

Result<std::optional<User>> UserStore::find(std::string_view name) {
  return database_.read(
      [&](db::ReadSession& session) { return internal::select_user(session, name); });
}

Result<Page<User>> UserStore::list(const ListQuery& query) {
  return database_.read(
      [&](db::ReadSession& session) { return internal::select_users(session, query); });
}

Result<Page<User>> UserStore::search(std::string_view part, const ListQuery& query) {
  ListQuery named = query;
  named.filters = {
      Filter{.kind = Filter::Kind::kFuzzy, .key = "username", .values = {std::string(part)}}};
  Page<User> page = TRY(list(named));
  std::erase_if(page.items,
                [&](const User& user) { return user.name.find(part) == std::string::npos; });
  return page;
}

Result<void> UserStore::update(UserId id, const Profile& profile) {
  TRY(check_profile(profile));
  Result<void> changed = change(database_, id, [&](db::WriteSession& session) {
    return internal::update_profile(session, id, profile);
  });
  if (!changed && changed.error().code == Code::kConflict) {
    return Error{Code::kConflict, Subject::kUser, "email " + profile.email + " already exists", {}};
  }
  return changed;
}

Result<void> UserStore::remove(UserId id) {
  if (id == kAdministrator) {
    return Error{Code::kDenied, Subject::kUser, "User with ID 1 cannot be deleted", {}};
  }
  return change(database_, id,
                [&](db::WriteSession& session) { return internal::mark_deleted(session, id); });
}

Result<void> UserStore::set_sysadmin(UserId id, bool sysadmin) {
  Result<void> changed = change(database_, id, [&](db::WriteSession& session) {
    return internal::update_sysadmin(session, id, sysadmin);
  });
  if (!changed && changed.error().code == Code::kNotFound) {
    changed.error().message = "user with id " + std::to_string(id.value) + " not found";
  }
  return changed;
}

Result<Credentials> UserStore::credentials(UserId id) {
  auto found = TRY(database_.read(
      [&](db::ReadSession& session) { return internal::select_credentials(session, id); }));
  if (!found) {
    return no_such_user(id);
  }
  return std::move(*found);
}

Result<void> UserStore::set_password(UserId id, std::string_view password) {
  const Credentials current = TRY(credentials(id));
  TRY(check_password(password));
  if (TRY(passwords_.verify(password, current.password_hash))) {
    return Error{Code::kInvalid, Subject::kUser, "New password is identical to old password", {}};
  }
  const std::string hash = TRY(passwords_.hash(password));
  return change(database_, id, [&](db::WriteSession& session) {
    return internal::update_password(session, id, hash);
  });
}

Result<void> UserStore::change_password(UserId id, std::string_view old_password,
                                        std::string_view password) {
  const Credentials current = TRY(credentials(id));
  if (!TRY(passwords_.verify(old_password, current.password_hash))) {
    return Error{Code::kDenied, Subject::kUser, "Current password is incorrect", {}};
  }
  return set_password(id, password);
}

Result<bool> has_administrator(db::Database& database) {
  const auto found = TRY(database.read([](db::ReadSession& session) {
    return internal::select_credentials(session, kAdministrator);
  }));
  return found.has_value();
}

Result<bool> ensure_administrator(db::Database& database, std::string_view password,
                                  const std::function<Result<void>(db::WriteSession&)>& along) {
  if (TRY(has_administrator(database))) {
    return false;
  }
  TRY(check_password(password));
  const std::string hash = crypto::hash_password(password);
  return database.write([&](db::WriteSession& session) -> Result<bool> {
    if (TRY(internal::select_credentials(session, kAdministrator))) {
      return false;  // Another process has started just now.
    }
    const std::string name = "admin";
    const std::string realname = "system admin";
    const std::string comment = "admin user";
    const UserId id = TRY(internal::insert_user(session, {.name = name,
                                                          .email = std::nullopt,
                                                          .realname = realname,
                                                          .comment = comment,
                                                          .password_hash = hash,
                                                          .sysadmin = true}));
    // A server does not give an id twice, also when its transaction was undone, and some count in
    // larger steps.
    if (id != kAdministrator) {
      TRY(internal::make_first(session, id));
    }
    if (along) {
      TRY(along(session));
    }
    return true;
  });
}

}  // namespace roadstead::auth
