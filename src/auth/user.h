#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"

namespace roadstead::auth {

/// The first administrator: always there, always local, cannot be deleted.
inline constexpr UserId kAdministrator{1};

/// A person's account as the API shows it.
struct User {
  UserId id;
  std::string name;
  std::optional<std::string> email;  ///< Only the first administrator may be without.
  std::string realname;
  std::string comment;
  bool sysadmin = false;
  Time created_at{};
  Time updated_at{};
};

/// What a login is checked against.
struct Credentials {
  UserId user;
  std::string name;
  std::string password_hash;
  std::int64_t version = 0;
};

/// What a user may change of itself.
struct Profile {
  std::string email;
  std::string realname;
  std::string comment;
};

struct NewUser {
  std::string name;
  std::string password;
  Profile profile;
};

/// The rules for new names, profiles and passwords. Errors: kInvalid + kUser with Harbor's words.
Result<void> check_user_name(std::string_view name);
Result<void> check_profile(const Profile& profile);
/// 8 to 128 characters with an upper-case letter, a lower-case letter and a digit (ASCII).
Result<void> check_password(std::string_view password);

}  // namespace roadstead::auth
