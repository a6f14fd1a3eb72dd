#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "redis/testing/scratch_redis.h"

namespace roadstead::redis {
namespace {

using testing::comes_true;
using testing::open_client;
using testing::ScratchRedis;

class RedisSentinel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = testing::why_no_server(); !why.empty()) {
      GTEST_SKIP() << why;
    }
  }
};

ScratchRedis::Options watching(const ScratchRedis& master) {
  return {.sentinel = true,
          .lines = {"sentinel monitor main 127.0.0.1 " + std::to_string(master.port()) + " 1",
                    "sentinel down-after-milliseconds main 500",
                    "sentinel failover-timeout main 2000"}};
}

/// Replicas that sentinels can promote say so in the master's own list.
std::string replicas(Client& client) {
  const auto role = client.command({"ROLE"});
  return role && role->list.size() == 3 && role->list[2].list.size() == 1
             ? role->list[2].list[0].list[1].text
             : "";
}

TEST_F(RedisSentinel, AFailoverIsFollowed) {
  ScratchRedis master;
  ScratchRedis replica(
      ScratchRedis::Options{.lines = {"replicaof 127.0.0.1 " + std::to_string(master.port()),
                                      "repl-diskless-sync-delay 0"}});
  ScratchRedis sentinel(watching(master));
  ScratchRedis dead;
  dead.kill();  // One of the sentinels does not answer.
  const auto client =
      open_client("redis+sentinel://" + dead.address() + "," + sentinel.address() + "/main");
  ASSERT_TRUE(client->command({"SET", "k", "v"}));
  ASSERT_TRUE(comes_true([&] { return replicas(*client) == std::to_string(replica.port()); }));
  const auto watcher = open_client("redis://" + replica.address());
  const auto knowing = [&] {
    // The sentinel learns of replicas from the master, which it asks now and then.
    std::ifstream log(sentinel.folder() / "log");
    const std::string text{std::istreambuf_iterator<char>(log), {}};
    return text.find("+slave slave") != std::string::npos;
  };
  ASSERT_TRUE(testing::comes_true(knowing));
  master.kill();
  EXPECT_TRUE(comes_true([&] { return client->command({"SET", "k", "w"}).has_value(); }));
  EXPECT_EQ(client->command({"ROLE"}).value().list.front().text, "master");
  EXPECT_TRUE(client->statistics().losses > 0);
}

TEST_F(RedisSentinel, AnUnknownNameLeavesItAway) {
  ScratchRedis master;
  ScratchRedis sentinel(watching(master));
  EXPECT_TRUE(open_client("redis+sentinel://" + sentinel.address() + "/other")->statistics().away);
}

}  // namespace
}  // namespace roadstead::redis
