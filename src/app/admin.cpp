#include "app/admin.h"

#include <fmt/format.h>

#include "app/data_directory.h"
#include "app/gc_command.h"
#include "app/opening.h"
#include "base/log.h"
#include "json/json.h"
#include "sys/local_socket.h"

namespace roadstead::app {
namespace {

constexpr std::chrono::seconds kAnswerTime{30};
constexpr std::string_view kResetPassword = "reset-password";

Result<void> set_password(auth::UserStore& users, std::string_view name,
                          std::string_view password) {
  const auto user = TRY(users.find(name));
  if (!user) {
    return Error{Code::kNotFound, Subject::kUser, fmt::format("there is no user {}", name), {}};
  }
  return users.set_password(user->id, password);
}

/// Errors: as ask_server().
Result<void> set_by_server(const Settings& settings, const std::string& user,
                           const std::string& password) {
  json::Writer request;
  request.begin_object();
  request.member("command", kResetPassword);
  request.member("user", user);
  request.member("password", password);
  request.end_object();
  TRY(ask_server(settings, request.take(), kAnswerTime));
  return {};
}

Result<void> reset_directly(const Settings& settings, const std::string& user,
                            const std::string& password) {
  const auto stopped = TRY(StoppedInstallation::open(settings));
  auth::PasswordPool passwords(auth::PasswordPool::Options{});
  auth::UserStore users(stopped->database(), passwords);
  return set_password(users, user, password);
}

/// Writes its answer as members of an object that is open.
Result<void> answer(const AdminParts& parts, std::string_view request, json::Writer& w) {
  const json::Document document = TRY(json::Document::parse(request));
  const json::Value root = document.root();
  const auto command = root["command"].as_string();
  if (command == kResetPassword && root["user"].as_string() && root["password"].as_string()) {
    return set_password(parts.users, *root["user"].as_string(), *root["password"].as_string());
  }
  if (command == kBeginCollection) {
    return begin_collection(parts.collector, root, w);
  }
  if (command == kFollowCollection) {
    return follow_collection(parts.collector, parts.database, root, w);
  }
  return Error{
      Code::kInvalid, Subject::kRequest, "unknown command; are both programs of one version?", {}};
}

}  // namespace

std::string answer_admin_request(const AdminParts& parts, std::string_view request) {
  json::Writer w;
  w.begin_object();
  const auto done = answer(parts, request, w);
  if (done) {
    w.end_object();
    return w.take();
  }
  json::Writer refusal;
  refusal.begin_object();
  refusal.member("error", done.error().message);
  refusal.end_object();
  return refusal.take();
}

Result<json::Document> ask_server(const Settings& settings, std::string_view request,
                                  std::chrono::milliseconds timeout) {
  const std::string answer =
      TRY(sys::call_local_server(DataDirectory::admin_socket(settings.data_dir), request, timeout));
  return read_answer(answer);
}

Result<json::Document> read_answer(std::string_view answer) {
  json::Document document = TRY(json::Document::parse(answer));
  if (const auto message = document.root()["error"].as_string()) {
    return Error{Code::kInvalid, Subject::kNone, std::string(*message), {}};
  }
  return document;
}

Result<std::string> reset_password(const Settings& settings, const std::string& user,
                                   const std::optional<std::string>& chosen) {
  const std::string password = chosen ? *chosen : generate_password();
  auto done = set_by_server(settings, user, password);
  if (!done && done.error().code == Code::kNotFound) {
    done = reset_directly(settings, user, password);
  }
  TRY(std::move(done));
  return password;
}

}  // namespace roadstead::app
