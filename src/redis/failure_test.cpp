#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "redis/testing/scratch_redis.h"

namespace roadstead::redis {
namespace {

using testing::comes_true;
using testing::open_client;
using testing::ScratchRedis;
using SteadyClock = std::chrono::steady_clock;

/// Callers that send one command after the other, and what each of these took.
class Load {
 public:
  explicit Load(Client& client) {
    for (auto& times : times_) {
      threads_.emplace_back([this, &client, &times] {
        while (!stop_) {
          const auto begin = SteadyClock::now();
          static_cast<void>(client.command({"INCR", "n"}));
          times.push_back(SteadyClock::now() - begin);
          testing::pause_for(std::chrono::milliseconds(1));
        }
      });
    }
  }
  /// How many commands of the slowest caller took at least that long.
  std::ptrdiff_t end(std::chrono::milliseconds limit) {
    stop_ = true;
    std::ptrdiff_t most = 0;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      threads_.at(i).join();
      const auto& times = times_.at(i);
      most = std::max(most, std::count_if(times.begin(), times.end(),
                                          [&](auto took) { return took >= limit; }));
    }
    return most;
  }

 private:
  std::atomic<bool> stop_ = false;
  std::array<std::vector<SteadyClock::duration>, 8> times_;
  std::vector<std::thread> threads_;
};

class RedisFailure : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = testing::why_no_server(); !why.empty()) {
      GTEST_SKIP() << why;
    }
  }
};

bool is_away(const Client& client) {
  return client.statistics().away;
}

TEST_F(RedisFailure, ASilentServerDelaysEachCallerOnce) {
  ScratchRedis server;
  const auto client = open_client(server.url("?command_ms=300"));
  Load load(*client);
  ASSERT_TRUE(comes_true([&] { return client->statistics().commands > 100; }));
  server.pause();
  ASSERT_TRUE(comes_true([&] { return is_away(*client); }));
  // Long enough for two more probes, for which nobody waits.
  ASSERT_TRUE(comes_true([&] { return client->statistics().refused > 8 * 1'500; }));
  EXPECT_LE(load.end(std::chrono::milliseconds(250)), 1);
  EXPECT_EQ(client->statistics().losses, 1U);
  server.resume();
  EXPECT_TRUE(comes_true([&] { return client->command({"PING"}).has_value(); }));
}

TEST_F(RedisFailure, AKilledServerDelaysNobodyAndIsFoundAgain) {
  ScratchRedis server;
  const auto client = open_client(server.url("?command_ms=300"));
  Load load(*client);
  ASSERT_TRUE(comes_true([&] { return client->statistics().commands > 100; }));
  server.kill();
  ASSERT_TRUE(comes_true([&] { return is_away(*client); }));
  server.start();
  const std::uint64_t before = client->statistics().commands;
  EXPECT_TRUE(comes_true([&] { return client->statistics().commands > before + 100; }));
  EXPECT_EQ(load.end(std::chrono::milliseconds(250)), 0);
}

TEST_F(RedisFailure, AServerThatIsNotThereYetIsFoundLater) {
  ScratchRedis server;
  server.kill();
  const auto client = open_client(server.url());
  const auto refused = client->command({"PING"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(client->statistics().commands, 0U);
  server.start();
  EXPECT_TRUE(comes_true([&] { return client->command({"PING"}).has_value(); }));
}

TEST_F(RedisFailure, AServerThatTakesNoWritesIsAway) {
  ScratchRedis server;
  const auto client = open_client(server.url());
  const auto other = open_client(server.url());
  ASSERT_TRUE(other->command({"REPLICAOF", "127.0.0.1", "1"}));
  const auto refused = client->command({"SET", "k", "v"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "redis: the server says READONLY");
  EXPECT_TRUE(is_away(*client));
  ASSERT_TRUE(other->command({"REPLICAOF", "NO", "ONE"}));
  EXPECT_TRUE(comes_true([&] { return client->command({"SET", "k", "v"}).has_value(); }));
}

TEST_F(RedisFailure, ThereIsAtMostOneProbeASecond) {
  ScratchRedis server(ScratchRedis::Options{.lines = {"requirepass Sesame"}});
  const auto begin = SteadyClock::now();
  const auto client = open_client(server.url());  // Whose probes the server refuses.
  const auto witness = open_client("redis://:Sesame@" + server.address());
  ASSERT_TRUE(comes_true([&] { return SteadyClock::now() - begin > std::chrono::seconds(3); }));
  const std::string info = witness->command({"INFO", "commandstats"}).value().text;
  const std::string name = "rejected_calls=";
  const std::size_t set = info.find("cmdstat_set:");
  ASSERT_NE(set, std::string::npos) << info;
  const std::size_t digits = info.find(name, set) + name.size();
  const auto probes = parse_uint64(
      std::string_view(info).substr(digits, info.find_first_of(",\r", digits) - digits));
  ASSERT_TRUE(probes) << info;
  EXPECT_GE(*probes, 2U);
  EXPECT_LE(*probes, 4U);
}

}  // namespace
}  // namespace roadstead::redis
