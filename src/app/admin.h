#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "auth/user_store.h"
#include "base/result.h"

namespace roadstead::app {

/// Gives `user` the password `chosen`, or a generated one, and returns it: through the running
/// server when there is one, else by taking the data directory's lock. Errors: kNotFound + kUser;
/// kInvalid + kUser when `chosen` is too weak.
Result<std::string> reset_password(const Settings& settings, const std::string& user,
                                   const std::optional<std::string>& chosen);

/// The other end: answers one request line of the admin socket.
std::string answer_admin_request(auth::UserStore& users, std::string_view request);

}  // namespace roadstead::app
