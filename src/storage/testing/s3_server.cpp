#include "storage/testing/s3_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <spawn.h>

#include "base/text.h"
#include "storage/internal/s3_client.h"

namespace roadstead::storage::testing {
namespace {

std::string first_line(int descriptor) {
  std::string line;
  for (char c = 0; ::read(descriptor, &c, 1) == 1 && c != '\n';) {
    line += c;
  }
  return line;
}

std::optional<std::string> swift_environment(std::string_view name) {
  if (name == "AWS_ACCESS_KEY_ID") {
    return "test:tester";  // Its keys are an account and a user.
  }
  return name == "AWS_SECRET_ACCESS_KEY" ? std::optional<std::string>("testing") : std::nullopt;
}

}  // namespace

std::optional<std::string> test_environment(std::string_view name) {
  if (name == "AWS_ACCESS_KEY_ID") {
    return "double-key";
  }
  return name == "AWS_SECRET_ACCESS_KEY" ? std::optional<std::string>("double-secret")
                                         : std::nullopt;
}

std::string real_server() {
  const char* const chosen = std::getenv("ROADSTEAD_TEST_STORAGE");
  return chosen != nullptr && std::string_view(chosen) == "swift" ? "swift" : "versitygw";
}

std::unique_ptr<S3Server> S3Server::start_double() {
  return start("s3_double.py");
}

std::unique_ptr<S3Server> S3Server::start_real() {
  auto server = start(real_server() + ".py");
  if (server && real_server() == "swift") {
    server->environment_ = &swift_environment;
  }
  return server;
}

std::unique_ptr<S3Server> S3Server::start(const std::string& script) {
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  // Closed at exec: other children must not keep the server's input open.
  EXPECT_EQ(::pipe2(input.data(), O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(output.data(), O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  std::string python = "python3";
  std::string path = std::string(ROADSTEAD_TESTS_SUPPORT) + "/" + script;
  const std::vector<char*> arguments{python.data(), path.data(), nullptr};
  pid_t process = -1;
  EXPECT_EQ(::posix_spawnp(&process, "python3", &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(output[1]);
  std::unique_ptr<S3Server> server(new S3Server());
  server->process_ = process;
  server->input_ = input[1];
  server->port_ = first_line(output[0]);
  server->environment_ = &test_environment;
  ::close(output[0]);
  if (parse_uint64(server->port_)) {
    return server;
  }
  if (!server->port_.starts_with("SKIPPED: ")) {
    // What was skipped then would look like what is not installed.
    throw std::runtime_error(script + " does not start");
  }
  return nullptr;
}

S3Server::~S3Server() {
  ::close(input_);  // Tells it to end.
  int status = 0;
  ::waitpid(process_, &status, 0);
}

std::string S3Server::endpoint() const {
  return "http://127.0.0.1:" + port_;
}

S3Options S3Server::options(std::string_view prefix) const {
  S3Options options =
      parse_s3_url("s3://bucket/" + std::string(prefix) + "?endpoint=" + endpoint(), environment_)
          .value();
  options.retry_after = std::chrono::milliseconds(2);
  options.spool = ::testing::TempDir();
  return options;
}

std::string S3Server::control(std::string_view path, std::string_view body) const {
  internal::HttpPool pool;
  internal::HttpRequest request;
  request.method = "POST";
  request.url = endpoint() + std::string(path);
  request.direct = true;
  request.body_size = body.size();
  request.body = internal::S3Body::of(std::string(body)).read;
  const auto answer = internal::fetch(pool, std::move(request), std::size_t{1} << 20U);
  EXPECT_TRUE(answer && answer->status == 200);
  return answer ? answer->body : "";
}

}  // namespace roadstead::storage::testing
