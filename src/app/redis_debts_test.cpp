#include "app/redis_debts.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "auth/testing/shared_debts_contract.h"
#include "redis/testing/scratch_redis.h"

namespace roadstead::app {
namespace {

using auth::SharedDebts;
using namespace std::chrono_literals;

class RedisDebtsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = redis::testing::why_no_server(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    // The rights that docs/redis.md names, and no others.
    server.emplace(redis::testing::ScratchRedis::Options{
        .lines = {"user me on >Sesame ~roadstead:* +eval +set +del +pttl"}});
    client = open();
  }
  [[nodiscard]] std::unique_ptr<redis::Client> open() const {
    return redis::testing::open_client("redis://me:Sesame@" + server->address() +
                                       "?command_ms=5000");
  }
  std::optional<redis::testing::ScratchRedis> server;
  std::unique_ptr<redis::Client> client;
};

TEST_F(RedisDebtsTest, KeepsTheContract) {
  const auto other_client = open();
  RedisDebts one(*client, "secret");
  RedisDebts other(*other_client, "secret");
  auth::testing::check_shared_debts(one, other, [&](SharedDebts::Milliseconds time) {
    // The clock is the server's.
    const auto until = std::chrono::steady_clock::now() + time;
    ASSERT_TRUE(
        redis::testing::comes_true([&] { return std::chrono::steady_clock::now() > until; }));
  });
}

TEST_F(RedisDebtsTest, NamesNobody) {
  RedisDebts debts(*client, "secret");
  debts.add(std::array{SharedDebts::Debt{"alice", 60s, 60s}});
  const auto keys = redis::testing::open_client(server->url())->command({"KEYS", "*"});
  ASSERT_TRUE(keys);
  int found = 0;
  for (const redis::Reply& key : keys->list) {
    EXPECT_EQ(key.text.find("alice"), std::string::npos);
    found += key.text.starts_with("roadstead:signin:") ? 1 : 0;
  }
  EXPECT_EQ(found, 1);
  RedisDebts stranger(*client, "another secret");
  const std::string name = "alice";
  EXPECT_EQ(stranger.owed(std::span(&name, 1)).value().front().count(), 0);
  EXPECT_GT(debts.owed(std::span(&name, 1)).value().front().count(), 0);
}

TEST_F(RedisDebtsTest, NothingIsToldWhileTheServerIsAway) {
  RedisDebts debts(*client, "secret");
  const std::string name = "alice";
  server->kill();
  EXPECT_FALSE(debts.owed(std::span(&name, 1)));
  debts.add(std::array{SharedDebts::Debt{name, 60s, 60s}});
  server->start();
  EXPECT_TRUE(
      redis::testing::comes_true([&] { return debts.owed(std::span(&name, 1)).has_value(); }));
}

}  // namespace
}  // namespace roadstead::app
