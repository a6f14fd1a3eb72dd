#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "storage/filesystem.h"
#include "storage/testing/blob_store_contract.h"
#include "sys/testing/lossy_disk.h"
#include "sys/testing/scratch_directory.h"

// Cuts the power before every file-system call of an operation and once it has returned, and opens
// a store on what is left.
namespace roadstead::storage {
namespace {

using model::Digest;
using sys::testing::LossyDisk;
using sys::testing::ScratchDirectory;
using testing::get;
using testing::put;

Location location_of(std::string_view content) {
  const std::string hex(Digest::of(content).hex());
  return Location{"blobs/sha256/" + hex.substr(0, 2) + "/" + hex};
}

class PowerLoss : public ::testing::TestWithParam<LossyDisk::Loss> {
 protected:
  [[nodiscard]] std::filesystem::path root() const { return scratch_.path(); }

  /// What the loss leaves now, as a store.
  std::unique_ptr<BlobStore> store_after_loss(LossyDisk& disk) {
    const auto target = remains_.path() / std::to_string(losses_++);
    disk.rebuild(target, GetParam());
    return open_filesystem_store(target / "store").value();
  }

  /// Runs `operation` on an opened store; `check(store, done)` sees a store for every moment at
  /// which the power could have gone.
  void cut_everywhere(const std::function<void(BlobStore&)>& prepare,
                      const std::function<void(BlobStore&)>& operation,
                      const std::function<void(BlobStore&, bool)>& check) {
    const auto store = open_filesystem_store(root() / "store").value();
    prepare(*store);
    std::size_t moments = 0;
    bool looking = false;  // The store on the remains makes calls as well.
    LossyDisk* watched = nullptr;
    const auto look = [&](bool done) {
      if (watched == nullptr || std::exchange(looking, true)) {
        return;
      }
      SCOPED_TRACE("moment " + std::to_string(moments++));
      const auto left = store_after_loss(*watched);
      check(*left, done);
      looking = false;
    };
    LossyDisk disk(root(), [&](std::string_view, const std::filesystem::path&) { look(false); });
    watched = &disk;
    operation(*store);
    look(true);
    EXPECT_GT(moments, 5U);
  }

 private:
  ScratchDirectory scratch_;
  ScratchDirectory remains_;
  int losses_ = 0;
};

bool is_whole(BlobStore& store, std::string_view content) {
  const auto read = get(store, location_of(content));
  EXPECT_TRUE(read || read.error().code == Code::kNotFound);
  EXPECT_TRUE(!read || *read == content) << "a torn blob";
  return read.has_value();
}

TEST_P(PowerLoss, CommittedBlobSurvives) {
  cut_everywhere([](BlobStore&) {}, [](BlobStore& store) { ASSERT_TRUE(put(store, "abc")); },
                 [](BlobStore& left, bool done) {
                   EXPECT_TRUE(is_whole(left, "abc") || !done);
                   EXPECT_TRUE(put(left, "abc"));
                   EXPECT_TRUE(is_whole(left, "abc"));
                 });
}

TEST_P(PowerLoss, SecondUploadOfABlobSurvives) {
  cut_everywhere([](BlobStore& store) { ASSERT_TRUE(put(store, "abc")); },
                 [](BlobStore& store) { ASSERT_TRUE(put(store, "abc")); },
                 [](BlobStore& left, bool) { EXPECT_TRUE(is_whole(left, "abc")); });
}

TEST_P(PowerLoss, RemovedBlobStaysAway) {
  const std::vector<Location> locations = {location_of("abc"), location_of("def")};
  cut_everywhere(
      [](BlobStore& store) {
        ASSERT_TRUE(put(store, "abc"));
        ASSERT_TRUE(put(store, "def"));
        ASSERT_TRUE(put(store, "kept"));
      },
      [&](BlobStore& store) { ASSERT_TRUE(store.remove(locations)); },
      [&](BlobStore& left, bool done) {
        EXPECT_FALSE(is_whole(left, "abc") && done);
        EXPECT_FALSE(is_whole(left, "def") && done);
        EXPECT_TRUE(is_whole(left, "kept"));
        EXPECT_TRUE(left.remove(locations));
        EXPECT_FALSE(is_whole(left, "abc"));
      });
}

TEST_P(PowerLoss, ABlobOfATakenOverTreeIsReplacedWhereItLies) {
  const Digest digest = Digest::of("abc");
  const std::string hex(digest.hex());
  const auto directory = root() / "store/docker/registry/v2/blobs/sha256" / hex.substr(0, 2) / hex;
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "data") << "damaged";
  const Location location{digest.to_string()};
  cut_everywhere([](BlobStore&) {},
                 [&](BlobStore& store) { EXPECT_EQ(put(store, "abc").value(), location); },
                 [&](BlobStore& left, bool done) {
                   const auto content = get(left, location);
                   EXPECT_TRUE(content && (*content == "abc" || (!done && *content == "damaged")));
                 });
}

TEST_P(PowerLoss, FirstBlobOfANewStoreSurvives) {
  LossyDisk disk(root());
  const auto store = open_filesystem_store(root() / "store").value();
  ASSERT_TRUE(put(*store, "abc"));
  EXPECT_TRUE(is_whole(*store_after_loss(disk), "abc"));
}

INSTANTIATE_TEST_SUITE_P(Loss, PowerLoss,
                         ::testing::Values(LossyDisk::Loss::kAllUnsynced,
                                           LossyDisk::Loss::kUnsyncedBytes,
                                           LossyDisk::Loss::kUnsyncedTails));

}  // namespace
}  // namespace roadstead::storage
