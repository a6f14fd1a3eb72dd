#include "sys/local_socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace roadstead::sys {
namespace {

class LocalSocketTest : public ::testing::Test {
 protected:
  LocalSocketTest() {
    char name[] = "/tmp/roadstead-socket-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ / "admin.sock";
  }
  ~LocalSocketTest() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
  std::filesystem::path path_;
};

TEST_F(LocalSocketTest, AnswersItsOwnerOnly) {
  const auto server = LocalServer::start(
      path_, [](std::string_view request) { return "got " + std::string(request); });
  ASSERT_TRUE(server);
  EXPECT_EQ(call_local_server(path_, "a", std::chrono::seconds(5)).value(), "got a");
  EXPECT_EQ(call_local_server(path_, "b", std::chrono::seconds(5)).value(), "got b");
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(LocalSocketTest, AStoppedServerIsNotFound) {
  EXPECT_EQ(call_local_server(path_, "a", std::chrono::seconds(5)).error().code, Code::kNotFound);
  {
    const auto server = LocalServer::start(path_, [](std::string_view) { return std::string(); });
  }
  EXPECT_EQ(call_local_server(path_, "a", std::chrono::seconds(5)).error().code, Code::kNotFound);
}

TEST_F(LocalSocketTest, RefusesEndlessRequests) {
  const auto server =
      LocalServer::start(path_, [](std::string_view) { return std::string("never"); });
  const std::string endless(4 * kLocalMessageMax, 'x');
  EXPECT_FALSE(call_local_server(path_, endless, std::chrono::seconds(5)));
  EXPECT_TRUE(call_local_server(path_, "x", std::chrono::seconds(5)));
}

}  // namespace
}  // namespace roadstead::sys
