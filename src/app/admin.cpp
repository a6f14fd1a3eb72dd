#include "app/admin.h"

#include <fmt/format.h>

#include "app/data_directory.h"
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

Result<void> handle(auth::UserStore& users, std::string_view request) {
  const json::Document document = TRY(json::Document::parse(request));
  const json::Value root = document.root();
  const auto user = root["user"].as_string();
  const auto password = root["password"].as_string();
  if (root["command"].as_string() != kResetPassword || !user || !password) {
    return Error{Code::kInvalid,
                 Subject::kRequest,
                 "unknown command; are both programs of one version?",
                 {}};
  }
  return set_password(users, *user, *password);
}

/// Asks the running server. Nothing when none runs.
Result<bool> ask_server(const Settings& settings, const std::string& user,
                        const std::string& password) {
  json::Writer request;
  request.begin_object();
  request.member("command", kResetPassword);
  request.member("user", user);
  request.member("password", password);
  request.end_object();
  const auto answer = sys::call_local_server(DataDirectory::admin_socket(settings.data_dir),
                                             request.take(), kAnswerTime);
  if (!answer) {
    if (answer.error().code == Code::kNotFound) {
      return false;
    }
    return answer.error();
  }
  const json::Document document = TRY(json::Document::parse(*answer));
  if (const auto message = document.root()["error"].as_string()) {
    return Error{Code::kInvalid, Subject::kUser, std::string(*message), {}};
  }
  return true;
}

Result<void> reset_directly(const Settings& settings, const std::string& user,
                            const std::string& password) {
  const DataDirectory directory = TRY(DataDirectory::open(settings.data_dir));
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kWarning, clock);
  const auto database = TRY(open_database(settings, clock, log::Logger(sink)));
  auth::PasswordPool passwords(auth::PasswordPool::Options{});
  auth::UserStore users(*database, passwords);
  return set_password(users, user, password);
}

}  // namespace

std::string answer_admin_request(auth::UserStore& users, std::string_view request) {
  const auto done = handle(users, request);
  json::Writer answer;
  answer.begin_object();
  if (!done) {
    answer.member("error", done.error().message);
  }
  answer.end_object();
  return answer.take();
}

Result<std::string> reset_password(const Settings& settings, const std::string& user,
                                   const std::optional<std::string>& chosen) {
  const std::string password = chosen ? *chosen : generate_password();
  const bool asked = TRY(ask_server(settings, user, password));
  if (!asked) {
    TRY(reset_directly(settings, user, password));
  }
  return password;
}

}  // namespace roadstead::app
