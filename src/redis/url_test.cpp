#include "redis/url.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace roadstead::redis {
namespace {

std::string message_of(const std::string& url) {
  const auto options = parse_url(url);
  return options ? "accepted" : options.error().message;
}

TEST(RedisUrl, NamesOneServer) {
  const Options plain = parse_url("redis://cache").value();
  ASSERT_EQ(plain.endpoints.size(), 1U);
  EXPECT_EQ(plain.endpoints[0].host, "cache");
  EXPECT_EQ(plain.endpoints[0].port, 6379);
  EXPECT_EQ(plain.database, 0);
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.connect_time.count(), 200);
  EXPECT_EQ(plain.command_time.count(), 100);

  const Options all = parse_url(
                          "rediss://me:p%40s%2Fs@[::1]:7000/3?ca=%2Fetc%2Fca.pem&certificate=c&"
                          "key=k&pool_size=4&connect_ms=50&command_ms=20")
                          .value();
  EXPECT_EQ(all.endpoints[0].host, "::1");
  EXPECT_EQ(all.endpoints[0].port, 7000);
  EXPECT_EQ(all.user, "me");
  EXPECT_EQ(all.password, "p@s/s");
  EXPECT_EQ(all.database, 3);
  EXPECT_TRUE(all.tls);
  EXPECT_EQ(all.ca_file, "/etc/ca.pem");
  EXPECT_EQ(all.certificate_file, "c");
  EXPECT_EQ(all.key_file, "k");
  EXPECT_EQ(all.pool_size, 4U);
  EXPECT_EQ(all.connect_time.count(), 50);
  EXPECT_EQ(all.command_time.count(), 20);
}

TEST(RedisUrl, NamesSentinels) {
  const Options options =
      parse_url("redis+sentinel://:secret@one,two:7001/main/2?sentinel_password=other").value();
  ASSERT_EQ(options.endpoints.size(), 2U);
  EXPECT_EQ(options.endpoints[0].port, 26'379);
  EXPECT_EQ(options.endpoints[1].host, "two");
  EXPECT_EQ(options.endpoints[1].port, 7001);
  EXPECT_EQ(options.master, "main");
  EXPECT_EQ(options.database, 2);
  EXPECT_EQ(options.password, "secret");
  EXPECT_EQ(options.sentinel_password, "other");
  EXPECT_TRUE(parse_url("rediss+sentinel://one/main?ca=f").value().tls);
}

TEST(RedisUrl, ErrorsSayWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"http://cache", "must begin with redis://"},
      {"redis:cache", "must begin with redis://"},
      {"redis://", "a host is missing"},
      {"redis://:pw@", "a host is missing"},
      {"redis://pw@cache", "expected user:password or :password"},
      {"redis://me:@cache", "the password in front of @ is empty"},
      {"redis://:p/w@cache", "must be percent-encoded"},
      {"redis://:p?w@cache", "must be percent-encoded"},
      {"redis://:p%zz@cache", "the password: % must be followed"},
      {"redis://:p%00@cache", "the password: must not hold a zero byte"},
      {"redis://cache:0", "a port must be a number from 1 to 65535"},
      {"redis://cache:", "a port must be a number"},
      {"redis://[::1", "closing bracket"},
      {"redis://[::1]6379", "expected :port"},
      {"redis://one,two", "several hosts are for redis+sentinel://"},
      {"redis://cache/first", "the database must be a number"},
      {"redis://cache/0?ca=f", "are for rediss://"},
      {"rediss://cache?certificate=f", "go together"},
      {"redis://cache?pool_size=0", "pool_size must be a number from 1 to 1024"},
      {"redis://cache?command_ms=60000", "command_ms must be a number from 1 to 10000"},
      {"redis://cache?retries=1", "an option is unknown"},
      {"redis://cache?ca", "an option lacks its ="},
      {"redis://cache?sentinel_password=x", "sentinel_password is for"},
      {"redis+sentinel://one", "the name of the master is missing"},
  };
  for (const auto& [url, expected] : cases) {
    EXPECT_NE(message_of(url).find("redis URL: "), std::string::npos) << url;
    EXPECT_NE(message_of(url).find(expected), std::string::npos) << url << ": " << message_of(url);
  }
  std::string many = "redis+sentinel://s";
  for (int i = 0; i < 16; ++i) {
    many += ",s";
  }
  EXPECT_NE(message_of(many + "/main").find("at most 16 sentinels"), std::string::npos);
}

TEST(RedisUrl, ErrorsHoldNoPassword) {
  for (const std::string url :
       {"redis://:Sesame/1@cache", "redis://:Sesame@cache:x", "redis://Sesame@cache",
        "redis://:Sesame%@cache", "Sesame://x", "redis://cache?Sesame=1",
        "redis://cache/0?sentinel_password=Sesame", "redis://a:Sesame@one,two"}) {
    EXPECT_NE(message_of(url), "accepted") << url;
    EXPECT_EQ(message_of(url).find("Sesame"), std::string::npos) << message_of(url);
  }
}

}  // namespace
}  // namespace roadstead::redis
