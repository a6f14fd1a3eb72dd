#include "http/internal/token_bucket.h"

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

using std::chrono::milliseconds;

const TokenBucket::Time kStart{std::chrono::hours(1)};

TEST(TokenBucket, ABurstIsFreeAndThenTimeHasToPass) {
  TokenBucket bucket({10, 2}, kStart);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(bucket.spend(1, kStart)) << i;
  }
  EXPECT_FALSE(bucket.spend(1, kStart));
  EXPECT_FALSE(bucket.spend(1, kStart + milliseconds(400)));
  EXPECT_TRUE(bucket.spend(1, kStart + milliseconds(1500)));
}

TEST(TokenBucket, NeitherTimeNorEarningsFillItOverTheBurst) {
  TokenBucket bucket({3, 1000}, kStart);
  bucket.earn(100);
  EXPECT_FALSE(bucket.spend(4, kStart));
  EXPECT_TRUE(bucket.spend(3, kStart + std::chrono::hours(1)));
  EXPECT_FALSE(bucket.spend(1, kStart + std::chrono::hours(1)));
}

TEST(TokenBucket, FrequentQuestionsDoNotLoseTime) {
  TokenBucket bucket({1, 1}, kStart);
  EXPECT_TRUE(bucket.spend(1, kStart));
  int granted = 0;
  for (int ms = 1; ms <= 10'000; ms += 7) {
    bucket.earn(0);
    granted += bucket.spend(0, kStart + milliseconds(ms)) ? 0 : 1;
  }
  EXPECT_EQ(granted, 0);
  EXPECT_TRUE(bucket.spend(1, kStart + milliseconds(1'000)));
}

}  // namespace
}  // namespace roadstead::http
