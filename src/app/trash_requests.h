#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/user_store.h"
#include "db/database.h"
#include "registry/options.h"

namespace roadstead::app {

/// What the requests below work with.
struct TrashParts {
  db::Database& database;
  auth::UserStore& users;
  const registry::Options& options;
};

/// Answers the requests of `roadstead trash`, in the name of the user admin. Nothing when the
/// request is about something else. Requests are JSON objects:
///
///   {"command":"trash-list","project":…,"repository":…,"page":…}
///   {"command":"trash-restore","repository":…,"digest":…,"move":…}
///   {"command":"trash-restore-tag","repository":…,"tag":…,"digest":…,"move":…}
///
/// Answers have a text for people or an "error".
std::optional<std::string> answer_trash_request(const TrashParts& parts, std::string_view request);

}  // namespace roadstead::app
