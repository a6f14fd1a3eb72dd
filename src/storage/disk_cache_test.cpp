#include "storage/disk_cache.h"

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "base/guarded.h"
#include "base/text.h"
#include "storage/filesystem.h"
#include "storage/testing/blob_store_contract.h"
#include "sys/file.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::storage::testing {
namespace {

using model::Digest;
using ::testing::SizeIs;

/// A memory store that counts how often blobs are opened, may hold back or garble what they read.
class SlowStore final : public BlobStore {
 public:
  std::atomic<int> opened{0};
  std::atomic<bool> garble{false};
  std::atomic<bool> fail{false};

  /// Lets readers have bytes up to here; by default all.
  void allow(std::uint64_t bytes) {
    allowed_.with([&](std::uint64_t& known) { known = bytes; });
    more_.notify_all();
  }

  Result<std::uint64_t> stat(const Location& location) override { return store_->stat(location); }
  Result<std::unique_ptr<BlobReader>> open(const Location& location) override {
    ++opened;
    return std::make_unique<Reader>(*this, TRY(store_->open(location)));
  }
  Result<std::unique_ptr<BlobWriter>> begin(model::Algorithm algorithm,
                                            std::uint64_t hint) override {
    return store_->begin(algorithm, hint);
  }
  Result<std::unique_ptr<BlobWriter>> resume(const std::string& token) override {
    return store_->resume(token);
  }
  Result<void> discard(const std::string& token) override { return store_->discard(token); }
  [[nodiscard]] Result<void> check(const Location& location) const override {
    return store_->check(location);
  }
  Result<void> unlink(const Location& location) override { return store_->unlink(location); }
  Result<void> sync_removed(std::span<const Location> locations) override {
    return store_->sync_removed(locations);
  }
  Result<std::vector<Location>> list(const std::string& cursor, std::size_t count) override {
    return store_->list(cursor, count);
  }
  Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) override {
    return store_->stale_uploads(age);
  }
  Result<std::optional<std::uint64_t>> free_space() override { return store_->free_space(); }

 private:
  class Reader final : public BlobReader {
   public:
    Reader(SlowStore& store, std::unique_ptr<BlobReader> reader)
        : store_(store), reader_(std::move(reader)) {}
    [[nodiscard]] std::uint64_t size() const override { return reader_->size(); }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
      store_.allowed_.wait(
          store_.more_, [&](std::uint64_t allowed) { return allowed > offset; },
          [](std::uint64_t) {});
      if (store_.fail) {
        return Error{Code::kUnavailable, Subject::kStorage, "the store is away", {}};
      }
      const std::size_t n = TRY(reader_->read_at(offset, into));
      if (store_.garble && n > 0) {
        into[0] ^= std::byte{1};
      }
      return n;
    }
    [[nodiscard]] std::shared_ptr<const sys::File> file() const override { return nullptr; }

   private:
    SlowStore& store_;
    std::unique_ptr<BlobReader> reader_;
  };

  std::unique_ptr<BlobStore> store_ = make_memory_store();
  Guarded<std::uint64_t> allowed_{UINT64_MAX};
  std::condition_variable more_;
};

class DiskCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { restart(); }
  /// The store goes too: a test puts its blobs again.
  void restart(std::uint64_t bytes_max = 10'000'000) {
    cache_.reset();
    auto store = std::make_unique<SlowStore>();
    store_ = store.get();
    cache_ = DiskCache::open(std::move(store), {scratch_.path() / "cache", bytes_max}).value();
  }
  struct Blob {
    std::string content;
    Digest digest;
    Location location;
  };
  Blob put_blob(std::size_t size, unsigned seed) {
    std::string content = sample_bytes(size, seed);
    const Digest digest = Digest::of(content);
    Location location = put(*cache_, content).value();
    return {std::move(content), digest, std::move(location)};
  }
  std::string read(const Blob& blob) {
    const auto reader = cache_->open_copy(blob.location, blob.digest, Reading::kWhole).value();
    EXPECT_EQ(reader->size(), blob.content.size());
    std::string content(blob.content.size() + 1, '\0');
    content.resize(reader->read_at(0, std::as_writable_bytes(std::span(content))).value());
    return content;
  }
  /// Until the copy of the blob is whole.
  std::shared_ptr<const sys::File> wait_for_copy(const Blob& blob) {
    for (int i = 0; i < 10'000; ++i) {
      const auto reader = cache_->open_copy(blob.location, blob.digest, Reading::kWhole).value();
      if (auto file = reader->file()) {
        return file;
      }
      std::string content(blob.content.size(), '\0');
      EXPECT_TRUE(reader->read_at(0, std::as_writable_bytes(std::span(content))));
      std::this_thread::yield();
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string> files() const {
    auto names = sys::list_directory((scratch_.path() / "cache").string()).value();
    std::erase(names, "lock");
    return names;
  }

  sys::testing::ScratchDirectory scratch_;
  std::unique_ptr<DiskCache> cache_;
  SlowStore* store_ = nullptr;
};

TEST_F(DiskCacheTest, TheSecondReaderGetsAFile) {
  const Blob blob = put_blob(1'000'000, 1);
  EXPECT_EQ(read(blob), blob.content);
  ASSERT_NE(wait_for_copy(blob), nullptr);
  EXPECT_EQ(store_->opened, 1);
  EXPECT_EQ(read(blob), blob.content);
  EXPECT_EQ(store_->opened, 1);
  EXPECT_THAT(files(), SizeIs(1));
  EXPECT_EQ(cache_->statistics().misses, 1U);
  EXPECT_EQ(cache_->statistics().bytes, 1'000'000U);
}

TEST_F(DiskCacheTest, ManyReadersAskTheStoreOnce) {
  const Blob blob = put_blob(3'000'000, 2);
  store_->allow(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(read(blob), blob.content); });
  }
  store_->allow(UINT64_MAX);
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(store_->opened, 1);
}

TEST_F(DiskCacheTest, AReaderDoesNotWaitForWhatIsFarBehind) {
  restart(100'000'000);
  const Blob blob = put_blob(30'000'000, 3);
  store_->allow(1);
  const auto reader = cache_->open_copy(blob.location, blob.digest, Reading::kWhole).value();
  const auto other = cache_->open_copy(blob.location, blob.digest, Reading::kWhole).value();
  std::thread far([&] {
    std::string end(100, '\0');
    EXPECT_EQ(other->read_at(29'999'900, std::as_writable_bytes(std::span(end))).value(), 100U);
    EXPECT_EQ(end, blob.content.substr(29'999'900));
  });
  store_->allow(UINT64_MAX);
  far.join();
}

TEST_F(DiskCacheTest, TheOnesUsedLastStay) {
  std::vector<Blob> blobs;
  for (unsigned i = 0; i < 3; ++i) {
    blobs.push_back(put_blob(3'000'000, 10 + i));
    read(blobs.back());
    ASSERT_NE(wait_for_copy(blobs.back()), nullptr);
  }
  ASSERT_NE(wait_for_copy(blobs[0]), nullptr);
  const auto open = wait_for_copy(blobs[1]);
  ASSERT_NE(wait_for_copy(blobs[2]), nullptr);
  ASSERT_NE(wait_for_copy(blobs[0]), nullptr);
  const Blob another = put_blob(3'000'000, 20);
  ASSERT_NE(wait_for_copy(another), nullptr);
  EXPECT_EQ(cache_->statistics().evictions, 1U);
  EXPECT_LE(cache_->statistics().bytes, 10'000'000U);
  const int before = store_->opened;
  EXPECT_NE(cache_->open_copy(blobs[0].location, blobs[0].digest, Reading::kWhole).value()->file(),
            nullptr);
  EXPECT_EQ(store_->opened, before);
  EXPECT_EQ(open->size().value(), 3'000'000U) << "whoever reads what went goes on";
  EXPECT_EQ(read(blobs[1]), blobs[1].content);
  EXPECT_EQ(store_->opened, before + 1);
}

TEST_F(DiskCacheTest, WhatIsTooLargeIsNotCopied) {
  const Blob blob = put_blob(6'000'000, 4);
  EXPECT_EQ(read(blob), blob.content);
  EXPECT_EQ(cache_->statistics().bypassed, 1U);
  EXPECT_TRUE(files().empty());
}

TEST_F(DiskCacheTest, OtherContentBecomesNoCopy) {
  const Blob blob = put_blob(1'000'000, 5);
  store_->garble = true;
  EXPECT_NE(read(blob), blob.content) << "as the store has it: its reader compares digests";
  store_->garble = false;
  ASSERT_NE(wait_for_copy(blob), nullptr);
  EXPECT_EQ(read(blob), blob.content);
  EXPECT_EQ(cache_->statistics().failures, 1U);
}

TEST_F(DiskCacheTest, ACopyThatFailsLeavesNothingAndItsReadersTheStore) {
  const Blob blob = put_blob(1'000'000, 6);
  store_->allow(1);
  const auto reader = cache_->open_copy(blob.location, blob.digest, Reading::kWhole).value();
  store_->fail = true;
  store_->allow(UINT64_MAX);
  std::string content(1'000'000, '\0');
  EXPECT_FALSE(reader->read_at(0, std::as_writable_bytes(std::span(content))));
  store_->fail = false;
  EXPECT_TRUE(reader->read_at(0, std::as_writable_bytes(std::span(content))));
  EXPECT_EQ(content, blob.content);
}

TEST_F(DiskCacheTest, CopiesSurviveARestart) {
  const Blob blob = put_blob(1'000'000, 7);
  read(blob);
  ASSERT_NE(wait_for_copy(blob), nullptr);
  std::ofstream(scratch_.path() / "cache" / "0.part") << "half";
  restart();
  EXPECT_THAT(files(), SizeIs(1));
  EXPECT_NE(cache_->open_copy(blob.location, blob.digest, Reading::kWhole).value()->file(),
            nullptr);
  EXPECT_EQ(store_->opened, 0);
  restart(900'000);
  EXPECT_TRUE(files().empty()) << "there is less room now";
}

TEST_F(DiskCacheTest, ACopyThatWasCutShortIsMadeAgain) {
  const Blob blob = put_blob(1'000'000, 8);
  read(blob);
  ASSERT_NE(wait_for_copy(blob), nullptr);
  const std::string name = files().at(0);
  std::filesystem::resize_file(scratch_.path() / "cache" / name, 10);
  EXPECT_EQ(read(blob), blob.content);
  ASSERT_NE(wait_for_copy(blob), nullptr);
  EXPECT_EQ(std::filesystem::file_size(scratch_.path() / "cache" / name), 1'000'000U);
}

TEST_F(DiskCacheTest, WhoChecksTheStoreGetsTheStore) {
  const Blob blob = put_blob(1'000, 9);
  ASSERT_NE(wait_for_copy(blob), nullptr);
  const int before = store_->opened;
  EXPECT_EQ(get(*cache_, blob.location).value(), blob.content);
  EXPECT_EQ(store_->opened, before + 1);
}

TEST_F(DiskCacheTest, ADirectoryBelongsToOneProcess) {
  const auto second = DiskCache::open(make_memory_store(), {scratch_.path() / "cache", 10'000'000});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
}

}  // namespace
}  // namespace roadstead::storage::testing
