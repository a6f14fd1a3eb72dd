#include "redis/client.h"

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "redis/testing/scratch_redis.h"

namespace roadstead::redis {
namespace {

using namespace std::string_view_literals;
using testing::open_client;
using testing::ScratchRedis;

class RedisClient : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = testing::why_no_server(); !why.empty()) {
      GTEST_SKIP() << why;
    }
  }
};

TEST_F(RedisClient, SendsCommandsAndReadsAnswers) {
  ScratchRedis server;
  const auto client = open_client(server.url());
  EXPECT_EQ(client->command({"SET", "k", "a\0\r\nb"sv}).value().text, "OK");
  EXPECT_EQ(client->command({"GET", "k"}).value().text, "a\0\r\nb"sv);
  EXPECT_EQ(client->command({"GET", "nothing"}).value().kind, Reply::Kind::kNothing);
  EXPECT_EQ(client->command({"INCR", "n"}).value().integer, 1);
  const Reply list = client->command({"EVAL", "return {1, 2, 'x'}", "0"}).value();
  ASSERT_EQ(list.list.size(), 3U);
  EXPECT_EQ(list.list[1].integer, 2);
  EXPECT_EQ(list.list[2].text, "x");
  EXPECT_FALSE(list.integers(3));
  EXPECT_EQ(client->command({"EVAL", "return {1, 2}", "0"}).value().integers(2).value(),
            (std::vector<std::int64_t>{1, 2}));
  const std::string large(5'000'000, 'x');
  EXPECT_TRUE(client->command({"SET", "large", large}));
  EXPECT_EQ(client->command({"GET", "large"}).value().text, large);
}

TEST_F(RedisClient, AWrongCommandIsTheCommandsFault) {
  ScratchRedis server;
  const auto client = open_client(server.url());
  const auto refused = client->command({"NOSUCH"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInternal);
  EXPECT_NE(refused.error().message.find("redis: ERR unknown command"), std::string::npos);
  EXPECT_TRUE(client->command({"PING"}));
  EXPECT_FALSE(client->statistics().away);
  EXPECT_EQ(client->statistics().failures, 1U);
  EXPECT_EQ(client->statistics().commands, 2U);
}

TEST_F(RedisClient, UsesPasswordAndDatabase) {
  ScratchRedis server(
      ScratchRedis::Options{.lines = {"requirepass Sesame", "user me on >Open ~* +@all"}});
  EXPECT_TRUE(open_client(server.url())->statistics().away);
  const std::string why = testing::why_away("redis://:wrong@" + server.address(), server.folder());
  EXPECT_NE(why.find("the server refuses AUTH: WRONGPASS"), std::string::npos) << why;
  const auto first = open_client("redis://:Sesame@" + server.address());
  EXPECT_TRUE(first->command({"SET", "k", "0"}));
  const auto second = open_client("redis://me:Open@" + server.address() + "/5");
  EXPECT_EQ(second->command({"EXISTS", "k"}).value().integer, 0);
  EXPECT_EQ(first->command({"EXISTS", "k"}).value().integer, 1);
}

TEST_F(RedisClient, ThePoolIsBounded) {
  ScratchRedis server;
  const auto client = open_client(server.url("?pool_size=3&command_ms=5000"));
  std::vector<std::thread> threads;
  std::array<int, 12> done{};
  for (int& mine : done) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        mine += client->command({"INCR", "n"}).has_value() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const int mine : done) {
    EXPECT_EQ(mine, 200);
  }
  EXPECT_EQ(client->command({"GET", "n"}).value().text, "2400");
  EXPECT_LE(client->statistics().connections, 3U);
}

TEST_F(RedisClient, WaitsForAConnectionThatIsInUse) {
  ScratchRedis server;
  const auto client = open_client(server.url("?pool_size=1&command_ms=2000"));
  const auto other = open_client(server.url());
  std::thread slow([&] { EXPECT_TRUE(client->command({"BLPOP", "empty", "0.3"})); });
  ASSERT_TRUE(testing::comes_true([&] {
    const auto clients = other->command({"INFO", "clients"});
    return clients && clients->text.find("blocked_clients:1") != std::string::npos;
  }));
  EXPECT_TRUE(client->command({"PING"}));
  slow.join();
  EXPECT_EQ(client->statistics().connections, 1U);
}

TEST_F(RedisClient, ConnectionsThatTheServerClosedAreReplaced) {
  ScratchRedis server;
  const auto client = open_client(server.url());
  const auto other = open_client(server.url());
  EXPECT_TRUE(client->command({"PING"}));
  EXPECT_TRUE(other->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}));
  EXPECT_TRUE(client->command({"PING"}));
  EXPECT_EQ(client->statistics().losses, 0U);
}

}  // namespace
}  // namespace roadstead::redis
