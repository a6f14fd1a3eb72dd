#include "auth/internal/sql_user.h"

#include <array>
#include <string>

#include "auth/sql_filter.h"

namespace roadstead::auth::internal {
namespace {

constexpr std::size_t kNameMax = 255;

/// A SELECT of what user_from() reads.
std::string select_user_where(std::string_view rest) {
  std::string sql =
      "SELECT id, username, email, realname, comment, sysadmin, creation_time, update_time "
      "FROM user_account";
  return sql.append(rest);
}

User user_from(const db::Row& row) {
  User user;
  user.id = row.id<UserId>(0);
  user.name = row.text(1);
  if (!row.is_null(2)) {
    user.email = row.text(2);
  }
  user.realname = row.text(3);
  user.comment = row.text(4);
  user.sysadmin = row.boolean(5);
  user.created_at = row.time(6);
  user.updated_at = row.time(7);
  return user;
}

Credentials credentials_from(const db::Row& row) {
  return {.user = row.id<UserId>(0),
          .name = std::string(row.text(1)),
          .password_hash = std::string(row.text(2)),
          .version = row.integer(3)};
}

constexpr std::array kUserListColumns{
    ListColumn{"user_id", "id", ListColumn::Type::kInteger},
    ListColumn{"username", "username"},
    ListColumn{"email", "email"},
    ListColumn{"realname", "realname"},
    ListColumn{"comment", "comment"},
    ListColumn{"sysadmin_flag", "sysadmin", ListColumn::Type::kBoolean},
    ListColumn{"creation_time", "creation_time", ListColumn::Type::kTime},
    ListColumn{"update_time", "update_time", ListColumn::Type::kTime},
};

/// "<text>#<id>", cut so that it fits the column.
std::string retired(std::string_view text, UserId id) {
  const std::string suffix = "#" + std::to_string(id.value);
  return std::string(text.substr(0, kNameMax - suffix.size())) + suffix;
}

}  // namespace

Result<UserId> insert_user(db::WriteSession& session, const NewRow& row) {
  const Time now = session.now();
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO user_account (username, email, realname, comment, "
      "password_hash, sysadmin, deleted, credential_version, creation_time, "
      "update_time) VALUES (?, ?, ?, ?, ?, ?, 0, 1, ?, ?)",
      {row.name, row.email, row.realname, row.comment, row.password_hash, row.sysadmin, now, now}));
  return UserId{id};
}

Result<void> make_first(db::WriteSession& session, UserId id) {
  TRY(session.execute("UPDATE user_account SET id = ? WHERE id = ?", {kAdministrator, id}));
  return {};
}

Result<std::optional<User>> select_user(db::ReadSession& session, UserId id) {
  return session.first(select_user_where(" WHERE id = ? AND deleted = 0"), {id}, user_from);
}

Result<std::optional<User>> select_user(db::ReadSession& session, std::string_view name) {
  return session.first(select_user_where(" WHERE username = ? AND deleted = 0"), {name}, user_from);
}

Result<bool> name_or_email_exists(db::ReadSession& session, std::string_view name,
                                  std::string_view email) {
  const auto found = TRY(session.first("SELECT 1 FROM user_account WHERE username = ? OR email = ?",
                                       {name, email}, [](const db::Row&) { return true; }));
  return found.has_value();
}

Result<Page<User>> select_users(db::ReadSession& session, const ListQuery& query) {
  SqlFilter filter(kUserListColumns);
  filter.require("deleted = 0");
  filter.require("id <> ?", kAdministrator);
  TRY(filter.add(query));
  Page<User> page;
  const auto total =
      TRY(session.first("SELECT COUNT(*) FROM user_account" + filter.where(), filter.params(),
                        [](const db::Row& row) { return row.integer(0); }));
  page.total = total.value_or(0);
  page.items = TRY(session.all(select_user_where(filter.where()) +
                                   filter.order_by(query, "username", "id") + " LIMIT ? OFFSET ?",
                               filter.page_params(query), user_from));
  return page;
}

Result<std::optional<Credentials>> select_credentials(db::ReadSession& session, UserId id) {
  return session.first(
      "SELECT id, username, password_hash, credential_version "
      "FROM user_account WHERE id = ? AND deleted = 0",
      {id}, credentials_from);
}

Result<std::optional<Credentials>> select_credentials(db::ReadSession& session,
                                                      std::string_view login) {
  return session.first(
      "SELECT id, username, password_hash, credential_version FROM user_account "
      "WHERE (username = ? OR email = ?) AND deleted = 0 "
      "ORDER BY CASE WHEN username = ? THEN 0 ELSE 1 END LIMIT 1",
      {login, login, login}, credentials_from);
}

Result<bool> update_profile(db::WriteSession& session, UserId id, const Profile& profile) {
  const std::int64_t rows = TRY(session.execute(
      "UPDATE user_account SET email = ?, realname = ?, comment = ?, update_time = ? "
      "WHERE id = ? AND deleted = 0",
      {profile.email, profile.realname, profile.comment, session.now(), id}));
  return rows > 0;
}

Result<bool> update_sysadmin(db::WriteSession& session, UserId id, bool sysadmin) {
  const std::int64_t rows =
      TRY(session.execute("UPDATE user_account SET sysadmin = ?, update_time = ? "
                          "WHERE id = ? AND deleted = 0",
                          {sysadmin, session.now(), id}));
  return rows > 0;
}

Result<bool> update_password(db::WriteSession& session, UserId id, std::string_view password_hash) {
  const std::int64_t rows = TRY(session.execute(
      "UPDATE user_account SET password_hash = ?, credential_version = credential_version + 1, "
      "update_time = ? WHERE id = ? AND deleted = 0",
      {password_hash, session.now(), id}));
  return rows > 0;
}

Result<bool> mark_deleted(db::WriteSession& session, UserId id) {
  const auto user = TRY(select_user(session, id));
  if (!user) {
    return false;
  }
  std::optional<std::string> email;
  if (user->email) {
    email = retired(*user->email, id);
  }
  const std::string name = retired(user->name, id);
  TRY(session.execute(
      "UPDATE user_account SET username = ?, email = ?, deleted = 1, "
      "credential_version = credential_version + 1, sysadmin = 0, update_time = ? WHERE id = ?",
      {name, email, session.now(), id}));
  return true;
}

Result<void> upgrade_hash(db::WriteSession& session, const Credentials& old,
                          std::string_view password_hash) {
  TRY(
      session.execute("UPDATE user_account SET password_hash = ? "
                      "WHERE id = ? AND credential_version = ?",
                      {password_hash, old.user, old.version}));
  return {};
}

}  // namespace roadstead::auth::internal
