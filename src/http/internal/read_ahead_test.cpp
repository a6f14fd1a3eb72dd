#include "http/internal/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

/// Gives 'a', 'b', … for its pieces, until it fails.
class Letters final : public BodySource {
 public:
  explicit Letters(std::uint64_t size, int good = 1000) : size_(size), good_(good) {}
  [[nodiscard]] std::uint64_t length() const override { return size_; }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    if (reads == good_) {
      return Error{Code::kUnavailable, Subject::kStorage, "gone", {}};
    }
    const std::size_t size = std::min<std::uint64_t>(into.size(), size_ - offset);
    std::memset(into.data(), 'a' + reads, size);
    ++reads;
    bytes += size;
    return size;
  }

  int reads = 0;
  std::uint64_t bytes = 0;

 private:
  std::uint64_t size_;
  int good_;
};

void load(ReadAhead& ahead, BodySource& source) {
  ahead.begin_load();
  ahead.end_load(ahead.load(source));
}

constexpr std::uint64_t kSize = 10'000'000;

TEST(ReadAhead, LoadsTheNextPieceBeforeThisOneIsSent) {
  Letters source(kSize);
  ReadAhead ahead;
  ahead.start(0, kSize);
  EXPECT_TRUE(ahead.ready().empty());
  ASSERT_TRUE(ahead.wants_load());
  load(ahead, source);
  EXPECT_EQ(ahead.ready().front(), 'a');
  ASSERT_TRUE(ahead.wants_load());
  ahead.begin_load();
  EXPECT_FALSE(ahead.wants_load()) << "one at a time";
  ASSERT_TRUE(ahead.load(source));
  EXPECT_EQ(ahead.ready().front(), 'a') << "what is sent stays while the pool works";
  ahead.sent(ahead.ready().size());
  EXPECT_TRUE(ahead.ready().empty());
  ahead.end_load(true);
  EXPECT_EQ(ahead.ready().front(), 'b');
}

TEST(ReadAhead, HoldsTwoPiecesOfASlowClient) {
  Letters source(kSize);
  ReadAhead ahead;
  ahead.start(0, kSize);
  for (int i = 0; i < 100 && ahead.wants_load(); ++i) {
    load(ahead, source);
  }
  EXPECT_EQ(source.reads, 2);
  EXPECT_LE(source.bytes, 1U << 20U);
  ahead.sent(ahead.ready().size() - 1);
  EXPECT_FALSE(ahead.wants_load());
  ahead.sent(1);
  EXPECT_TRUE(ahead.wants_load());
}

TEST(ReadAhead, GivesTheWindowAndNoMore) {
  Letters source(kSize);
  ReadAhead ahead;
  ahead.start(1'000'000, 3'000'001);
  std::uint64_t got = 0;
  while (ahead.wants_load()) {
    load(ahead, source);
    got += ahead.ready().size();
    ahead.sent(ahead.ready().size());
  }
  EXPECT_EQ(got, 3'000'001U);
  EXPECT_EQ(source.bytes, got);
  EXPECT_FALSE(ahead.failed());
}

TEST(ReadAhead, SendsWhatCameBeforeAFailure) {
  Letters source(kSize, 1);
  ReadAhead ahead;
  ahead.start(0, kSize);
  load(ahead, source);
  ASSERT_TRUE(ahead.wants_load());
  load(ahead, source);
  EXPECT_TRUE(ahead.failed());
  EXPECT_FALSE(ahead.wants_load());
  EXPECT_EQ(ahead.ready().front(), 'a');
  ahead.sent(ahead.ready().size());
  EXPECT_TRUE(ahead.ready().empty());
}

}  // namespace
}  // namespace roadstead::http
