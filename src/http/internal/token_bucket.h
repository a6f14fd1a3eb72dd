#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace roadstead::http {

/// What a peer may do for free: full at first, refilled with time, spent by what it makes us do.
class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Rule {
    std::int64_t burst = 0;
    std::int64_t per_second = 0;
  };

  TokenBucket(Rule rule, Time now) : rule_(rule), tokens_(rule.burst), filled_(now) {}

  /// False when there were too few; those that were there are gone nevertheless.
  bool spend(std::int64_t count, Time now) {
    refill(now);
    tokens_ = std::max(tokens_ - count, std::int64_t{-1});
    return tokens_ >= 0;
  }
  void earn(std::int64_t count) { tokens_ = std::min(tokens_ + count, rule_.burst); }

 private:
  /// Whole tokens only: the rest of the time counts towards the next one.
  void refill(Time now) {
    const auto passed =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - filled_).count();
    const std::int64_t whole = passed * rule_.per_second / 1000;
    if (whole > 0) {
      earn(whole);
      filled_ += std::chrono::milliseconds(whole * 1000 / rule_.per_second);
    }
  }

  Rule rule_;
  std::int64_t tokens_;
  Time filled_;
};

}  // namespace roadstead::http
