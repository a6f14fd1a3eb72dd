#include "storage/internal/s3_parts.h"

#include <iterator>
#include <set>

#include <gtest/gtest.h>

#include "base/text.h"
#include "storage/internal/s3_token.h"
#include "storage/testing/blob_store_contract.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;

TEST(PartSchedule, TenThousandPartsReachTheLargestObject) {
  for (const std::uint64_t first : {8 * kMiB, 64 * kMiB, 512 * kMiB}) {
    const PartSchedule schedule(first);
    std::uint64_t sum = 0;
    std::uint64_t last = 0;
    for (std::uint64_t number = 1; number <= kPartsMax; ++number) {
      const std::uint64_t size = schedule.size(number);
      ASSERT_GE(size, std::max(last, kPartSizeMin)) << number;
      ASSERT_LE(size, kPartSizeMax) << number;
      last = size;
      sum += size;
    }
    EXPECT_EQ(schedule.size(1), first);
    EXPECT_GE(sum, kObjectSizeMax) << first;
  }
}

TEST(PartSchedule, PartsThatAreClosedEarlyLeaveRoomForTheLargestObject) {
  const PartSchedule schedule(8 * kMiB);
  std::uint64_t sum = 0;
  for (std::uint64_t number = 1; number <= kPartsMax; ++number) {
    const auto early = schedule.early_size(number);
    EXPECT_TRUE(!early || *early >= kPartSizeMin);
    sum += early.value_or(schedule.size(number));
  }
  EXPECT_GE(sum, kObjectSizeMax);
}

TEST(PartSchedule, MostBlobsHavePartsThatMemoryBears) {
  const PartSchedule schedule(8 * kMiB);
  std::uint64_t sum = 0;
  for (std::uint64_t number = 1; schedule.size(number) <= 64 * kMiB; ++number) {
    sum += schedule.size(number);
  }
  EXPECT_GT(sum, 100ULL << 30U);
}

class PartBufferTest : public ::testing::Test {
 protected:
  void fill(PartBuffer& buffer, std::string_view content) {
    for (std::size_t at = 0; at < content.size(); at += 700'001) {
      ASSERT_TRUE(buffer.append(bytes_of(content.substr(at, 700'001))));
    }
  }
  static std::string read(const PartBuffer& buffer) {
    std::string content(buffer.size() + 10, '\0');
    content.resize(buffer.read_at(0, std::as_writable_bytes(std::span(content))).value());
    return content;
  }
  sys::testing::ScratchDirectory scratch_;
};

TEST_F(PartBufferTest, StaysInMemoryWhileThereIsRoom) {
  BufferBudget budget(4 * kMiB);
  {
    PartBuffer buffer(budget, scratch_.path());
    const std::string content = testing::sample_bytes(4 * kMiB);
    fill(buffer, content);
    EXPECT_TRUE(buffer.in_memory());
    EXPECT_EQ(budget.used(), 4 * kMiB);
    EXPECT_EQ(read(buffer), content);
    std::string piece(1000, '\0');
    EXPECT_EQ(buffer.read_at(kMiB - 1, std::as_writable_bytes(std::span(piece))).value(), 1000U);
    EXPECT_EQ(piece, content.substr(kMiB - 1, 1000));
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(PartBufferTest, GoesToAFileWithoutANameWhenThereIsNone) {
  BufferBudget budget(4 * kMiB);
  PartBuffer first(budget, scratch_.path());
  PartBuffer second(budget, scratch_.path());
  const std::string content = testing::sample_bytes(3 * kMiB);
  fill(first, content);
  fill(second, content);
  EXPECT_TRUE(first.in_memory());
  EXPECT_FALSE(second.in_memory());
  EXPECT_EQ(budget.used(), 3 * kMiB);
  EXPECT_EQ(read(first), content);
  EXPECT_EQ(read(second), content);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(PartBufferTest, LargePartsGoToAFileWhateverTheRoom) {
  BufferBudget budget(1024 * kMiB);
  PartBuffer buffer(budget, scratch_.path());
  const std::string content = testing::sample_bytes(65 * kMiB);
  fill(buffer, content);
  EXPECT_FALSE(buffer.in_memory());
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_EQ(read(buffer), content);
}

TEST(BufferBudget, KeepsSomeBlocksForTheNextPart) {
  BufferBudget budget(40 * kMiB);
  std::vector<BufferBudget::Block> blocks;
  std::set<const std::byte*> known;
  while (auto block = budget.take()) {
    known.insert(block.get());
    blocks.push_back(std::move(block));
  }
  EXPECT_EQ(blocks.size(), 40U);
  std::vector<BufferBudget::Block> some;
  std::move(blocks.begin(), blocks.begin() + 8, std::back_inserter(some));
  blocks.erase(blocks.begin(), blocks.begin() + 8);
  budget.give_back(std::move(some));
  EXPECT_EQ(budget.used(), 32 * kMiB);
  // A heap would give these away first.
  std::vector<std::unique_ptr<std::byte[]>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(std::make_unique<std::byte[]>(BufferBudget::kBlock));
  }
  for (int i = 0; i < 8; ++i) {
    blocks.push_back(budget.take());
    EXPECT_TRUE(known.contains(blocks.back().get()));
  }
  EXPECT_EQ(budget.take(), nullptr);
  budget.give_back(std::move(blocks));
  EXPECT_EQ(budget.used(), 0U);
}

TEST(S3Token, ReadsWhatItWrites) {
  crypto::Hasher hasher(model::Algorithm::kSha256);
  hasher.update(bytes_of("abc"));
  S3Token token{"01234567-89ab-4cde-8f01-23456789abcd",
                "an id/with+=everything",
                3,
                std::string(64, 'a'),
                std::string(32, 'b'),
                "",
                hasher};
  const S3Token read = S3Token::parse(token.to_string()).value();
  EXPECT_EQ(read.to_string(), token.to_string());
  EXPECT_EQ(read.upload_id, token.upload_id);
  EXPECT_EQ(read.parts, 3U);
  EXPECT_EQ(read.tail, token.tail);
  EXPECT_EQ(read.old_tail, "");
  EXPECT_EQ(read.hasher->length(), 3U);
  // Parts without an upload or a proof, an upload without parts.
  S3Token forged = token;
  forged.upload_id.clear();
  EXPECT_FALSE(S3Token::parse(forged.to_string()));
  forged = token;
  forged.proof.clear();
  EXPECT_FALSE(S3Token::parse(forged.to_string()));
  forged = token;
  forged.parts = 0;
  EXPECT_FALSE(S3Token::parse(forged.to_string()));
  forged = token;
  forged.parts = 10'001;
  EXPECT_FALSE(S3Token::parse(forged.to_string()));
}

}  // namespace
}  // namespace roadstead::storage::internal
