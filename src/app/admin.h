#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "auth/user_store.h"
#include "base/result.h"
#include "db/database.h"
#include "gc/collector.h"
#include "json/json.h"

namespace roadstead::app {

/// Gives `user` the password `chosen`, or a generated one, and returns it: through the running
/// server when there is one, else by taking the data directory's lock. Errors: kNotFound + kUser;
/// kInvalid + kUser when `chosen` is too weak.
Result<std::string> reset_password(const Settings& settings, const std::string& user,
                                   const std::optional<std::string>& chosen);

/// Asks the running server over its admin socket: an object with "command" and what it needs.
/// Errors: kNotFound + kNone when no server runs; kUnavailable + kNone on time-out; kInvalid +
/// kNone with what the server answered.
Result<json::Document> ask_server(const Settings& settings, std::string_view request,
                                  std::chrono::milliseconds timeout);

/// An answer as it comes over the socket. Errors: kInvalid + kNone with what it says went wrong.
Result<json::Document> read_answer(std::string_view answer);

/// What the running server works with.
struct AdminParts {
  auth::UserStore& users;
  gc::Collector& collector;
  db::Database& database;
};
/// The other end: answers one request line of the admin socket.
std::string answer_admin_request(const AdminParts& parts, std::string_view request);

}  // namespace roadstead::app
