#include "api/token/challenge.h"

#include <array>

#include <gtest/gtest.h>

namespace roadstead::api {
namespace {

TEST(Challenge, NamesTheTokenServiceOfTheRequestsOwnHost) {
  EXPECT_EQ(challenge("http", "127.0.0.1:5000", "reg/app", "pull,push", false),
            "Bearer realm=\"http://127.0.0.1:5000/service/token\",service=\"harbor-registry\","
            "scope=\"repository:reg/app:pull,push\"");
}

TEST(Challenge, WithoutRepositoryHasNoScope) {
  EXPECT_EQ(challenge("https", "r.example", "", "", false),
            "Bearer realm=\"https://r.example/service/token\",service=\"harbor-registry\"");
}

TEST(Challenge, AsksForBothRepositoriesOfAMount) {
  const std::array scopes{WantedScope{"regpub/app", "pull,push"}, WantedScope{"reg/app", "pull"}};
  EXPECT_EQ(challenge("https://r", scopes, false),
            "Bearer realm=\"https://r/service/token\",service=\"harbor-registry\","
            "scope=\"repository:regpub/app:pull,push repository:reg/app:pull\"");
}

TEST(Challenge, IsBasicAfterCredentialsThatWereNotEnough) {
  EXPECT_EQ(challenge("http", "h", "reg/app", "pull", true), "Basic realm=\"harbor\"");
}

TEST(Challenge, ExternalUrlWins) {
  EXPECT_EQ(origin_of("https://reg.example.com/", "http", "10.0.0.1:8080"),
            "https://reg.example.com");
  EXPECT_EQ(origin_of("", "https", "[::1]:443"), "https://[::1]:443");
}

TEST(Challenge, LeavesOutWhatWouldBreakTheHeader) {
  EXPECT_EQ(challenge("http", "h\"\r\nX: y", "a\"b/\r\nc", "pull", false),
            "Bearer realm=\"http://hX:y/service/token\",service=\"harbor-registry\","
            "scope=\"repository:ab/c:pull\"");
}

}  // namespace
}  // namespace roadstead::api
