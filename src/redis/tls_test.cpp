#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "redis/testing/scratch_redis.h"

namespace roadstead::redis {
namespace {

using testing::Certificate;
using testing::open_client;
using testing::ScratchRedis;

class RedisTls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = testing::why_no_server(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    certificate.emplace(folder.path(), "first");
  }
  sys::testing::ScratchDirectory folder;
  std::optional<Certificate> certificate;
};

TEST_F(RedisTls, EncryptsWithAServerThatItTrusts) {
  ScratchRedis server(
      ScratchRedis::Options{.tls = &*certificate, .lines = {"tls-auth-clients no"}});
  const auto client = open_client(
      server.url("?command_ms=2000&connect_ms=2000&ca=" + certificate->certificate_file));
  const std::string large(3'000'000, 'x');
  EXPECT_TRUE(client->command({"SET", "large", large}));
  EXPECT_EQ(client->command({"GET", "large"}).value().text, large);
  EXPECT_EQ(client->command({"PING"}).value().text, "PONG");
}

TEST_F(RedisTls, ASignatureOfSomebodyElseIsRefused) {
  const Certificate other(folder.path(), "other");
  ScratchRedis server(
      ScratchRedis::Options{.tls = &*certificate, .lines = {"tls-auth-clients no"}});
  for (const std::string& query :
       {"?connect_ms=5000&ca=" + other.certificate_file, std::string("?connect_ms=5000")}) {
    const std::string why = testing::why_away(server.url(query), folder.path());
    EXPECT_NE(why.find("the server's certificate: self-signed certificate"), std::string::npos)
        << why;
  }
}

TEST_F(RedisTls, ACertificateOfAnotherHostIsRefused) {
  const Certificate other(folder.path(), "other", "127.0.0.2");
  ScratchRedis server(ScratchRedis::Options{.tls = &other, .lines = {"tls-auth-clients no"}});
  const std::string why =
      testing::why_away(server.url("?connect_ms=5000&ca=" + other.certificate_file), folder.path());
  EXPECT_NE(why.find("the server's certificate: IP address mismatch"), std::string::npos) << why;
}

TEST_F(RedisTls, ShowsACertificateToAServerThatAsks) {
  ScratchRedis server(
      ScratchRedis::Options{.tls = &*certificate, .lines = {"tls-auth-clients yes"}});
  const std::string trusting = "?connect_ms=5000&ca=" + certificate->certificate_file;
  EXPECT_NE(testing::why_away(server.url(trusting), folder.path()), "");
  const auto client =
      open_client(server.url(trusting + "&certificate=" + certificate->certificate_file +
                             "&key=" + certificate->key_file));
  EXPECT_TRUE(client->command({"PING"}));
}

TEST_F(RedisTls, FilesThatCannotBeUsedAreNamedAtOnce) {
  static const SystemClock kClock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, kClock);
  const auto client =
      Client::open(parse_url("rediss://127.0.0.1?ca=/nowhere.pem").value(), log::Logger(sink));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().message, "redis URL: cannot use /nowhere.pem");
}

}  // namespace
}  // namespace roadstead::redis
