#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>

#include "base/text.h"
#include "storage/digest_locks.h"
#include "storage/filesystem.h"
#include "storage/testing/blob_store_contract.h"
#include "sys/faults.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::storage {
namespace {

using model::Algorithm;
using model::Digest;
using sys::testing::ScratchDirectory;
using ::testing::ElementsAre;
using testing::get;
using ::testing::IsEmpty;
using testing::put;
using ::testing::SizeIs;

constexpr std::string_view kDistributionBlobs = "docker/registry/v2/blobs";

class FilesystemUnderTest final : public testing::StoreUnderTest {
 public:
  FilesystemUnderTest() { restart(); }
  BlobStore& store() override { return *store_; }
  void restart() override { store_ = open_filesystem_store(scratch_.path() / "data").value(); }

 private:
  ScratchDirectory scratch_;
  std::unique_ptr<BlobStore> store_;
};

/// Notes every file-system call while it lives, in order.
class Recorder {
 public:
  [[nodiscard]] std::vector<std::string> only(const std::vector<std::string>& wanted) const {
    std::vector<std::string> found;
    for (const std::string& call : calls_) {
      if (std::find(wanted.begin(), wanted.end(), call) != wanted.end()) {
        found.push_back(call);
      }
    }
    return found;
  }

 private:
  std::vector<std::string> calls_;
  sys::ScopedFaults faults_{[this](std::string_view call, const std::filesystem::path&) {
    calls_.emplace_back(call);
    return 0;
  }};
};

const std::vector<std::string> kChanges = {"fdatasync", "fsync",  "mkdir",
                                           "rename",    "unlink", "rmdir"};

class FilesystemStoreTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path root() const { return scratch_.path(); }
  /// Of what is published here: the location is the path.
  [[nodiscard]] std::filesystem::path data_of(const Location& location) const {
    return root() / location.value;
  }
  [[nodiscard]] std::filesystem::path distribution_path(const std::string& content) const {
    const std::string hex(Digest::of(content).hex());
    return root() / kDistributionBlobs / "sha256" / hex.substr(0, 2) / hex / "data";
  }
  /// A blob as CNCF distribution leaves it, and the store opened on it; its location.
  Location take_over(const std::string& content) {
    std::filesystem::create_directories(distribution_path(content).parent_path());
    std::ofstream(distribution_path(content)) << content;
    store_ = open_filesystem_store(root()).value();
    return Location{Digest::of(content).to_string()};
  }

  ScratchDirectory scratch_;
  std::unique_ptr<BlobStore> store_ = open_filesystem_store(scratch_.path()).value();
};

TEST_F(FilesystemStoreTest, ABlobIsAFileNamedByItsDigest) {
  const Location location = put(*store_, "abc").value();
  const std::string path =
      "blobs/sha256/ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(location.value, path);
  EXPECT_EQ(sys::read_file(root() / path, 100).value(), "abc");
  EXPECT_FALSE(sys::exists(root() / "docker").value()) << "nothing of another layout is made";
}

TEST_F(FilesystemStoreTest, ExistingTreeIsTakenOver) {
  const Location location = take_over("from elsewhere");
  EXPECT_EQ(store_->stat(location).value(), 14U);
  EXPECT_EQ(get(*store_, location).value(), "from elsewhere");
  EXPECT_THAT(store_->list("", 10).value(), ElementsAre(location));
  ASSERT_TRUE(store_->remove(std::span(&location, 1)));
  EXPECT_EQ(store_->stat(location).error().code, Code::kNotFound);
  EXPECT_FALSE(sys::exists(distribution_path("from elsewhere").parent_path()).value());
}

TEST_F(FilesystemStoreTest, ABlobOfAnExistingTreeIsNotStoredTwice) {
  const Location location = take_over("from elsewhere");
  EXPECT_EQ(put(*store_, "from elsewhere").value(), location);
  std::filesystem::resize_file(distribution_path("from elsewhere"), 3);
  EXPECT_EQ(put(*store_, "from elsewhere").value(), location) << "damaged: replaced where it lies";
  EXPECT_EQ(get(*store_, location).value(), "from elsewhere");
  const Location fresh = put(*store_, "new").value();
  EXPECT_TRUE(fresh.value.starts_with("blobs/"));
}

TEST_F(FilesystemStoreTest, BothLayoutsAreListedOnce) {
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    expected.push_back(take_over("old " + std::to_string(i)).value);
    expected.push_back(put(*store_, "new " + std::to_string(i)).value().value);
  }
  for (const std::size_t count : {1U, 7U, 20U, 100U}) {
    EXPECT_THAT(testing::list_all(*store_, count), ::testing::UnorderedElementsAreArray(expected));
  }
}

TEST_F(FilesystemStoreTest, ForgedLocationsAreRefused) {
  const std::string kept = put(*store_, "abc").value().value;
  const std::string hex(Digest::of("abc").hex());
  for (const std::string& value :
       {"blobs/" + hex, "blobs/sha256/" + hex, "blobs/sha256/bb/" + hex, "blobs/sha256//" + hex,
        "blobs/sha256/ba/../" + hex, "blobs/sha512/ba/" + hex, kept + "/", kept + "0", "/" + kept,
        "blobs/sha256/ba/BA" + hex.substr(2), std::string("blobs/"), std::string("inline")}) {
    EXPECT_EQ(store_->stat(Location{value}).error().code, Code::kInvalid) << value;
    EXPECT_EQ(store_->list(value, 1).error().code, Code::kInvalid) << value;
  }
}

TEST_F(FilesystemStoreTest, StrangersInTheTreeAreNotListed) {
  const Location location = put(*store_, "abc").value();
  const auto prefix = data_of(location).parent_path();
  std::ofstream(prefix / "not-a-digest") << "x";
  std::ofstream(prefix / std::string(64, '0')) << "x";  // Of another prefix.
  const auto other = distribution_path("abc").parent_path().parent_path();
  std::filesystem::create_directories(other / ("ba" + std::string(62, '0')));  // Without data.
  std::ofstream(root() / "uploads" / "stranger") << "x";
  EXPECT_THAT(store_->list("", 10).value(), ElementsAre(location));
  EXPECT_THAT(store_->stale_uploads(std::chrono::seconds(0)).value(), IsEmpty());
}

TEST_F(FilesystemStoreTest, NewBlobCostsTwoSyncs) {
  const auto writer = store_->begin(Algorithm::kSha256, 3).value();
  const Recorder recorder;
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  ASSERT_TRUE(writer->commit(Digest::of("abc")));
  EXPECT_THAT(recorder.only(kChanges), ElementsAre("fdatasync", "rename", "fsync"));
}

TEST_F(FilesystemStoreTest, KnownBlobIsNotWrittenAgainButItsNameIsSynced) {
  ASSERT_TRUE(put(*store_, "abc"));
  const auto writer = store_->begin(Algorithm::kSha256, 3).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  const Recorder recorder;
  ASSERT_TRUE(writer->commit(Digest::of("abc")));
  EXPECT_THAT(recorder.only(kChanges), ElementsAre("unlink", "fsync"));
}

TEST_F(FilesystemStoreTest, DamagedContentIsReplacedOnlyWhenItIsKnown) {
  const Location location = put(*store_, "abc").value();
  ASSERT_EQ(get(*store_, location).value(), "abc");  // Stays open for the next reader.
  std::ofstream(data_of(location)) << "abX";
  ASSERT_TRUE(put(*store_, "abc"));  // Of the same length: taken for what it says it is.
  EXPECT_EQ(get(*store_, location).value(), "abX");
  const auto writer = store_->begin(Algorithm::kSha256, 3).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  writer->replace_existing();
  ASSERT_TRUE(writer->commit(Digest::of("abc")));
  EXPECT_EQ(get(*store_, location).value(), "abc");
  EXPECT_THAT(store_->stale_uploads(std::chrono::seconds(0)).value(), IsEmpty());
}

TEST_F(FilesystemStoreTest, CheckpointSyncsNothing) {
  const auto writer = store_->begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  const Recorder recorder;
  ASSERT_TRUE(writer->checkpoint());
  EXPECT_THAT(recorder.only(kChanges), IsEmpty());
}

TEST_F(FilesystemStoreTest, AnnouncedUploadCostsNoCall) {
  const Recorder recorder;
  const auto writer = store_->begin(Algorithm::kSha256, 1000).value();
  ASSERT_TRUE(writer->checkpoint());
  EXPECT_THAT(recorder.only({"open", "fallocate"}), IsEmpty());
}

TEST_F(FilesystemStoreTest, RemovalSyncsEachDirectoryOnce) {
  // Two blobs below one <2 hex>/ and one below another.
  std::vector<Location> locations;
  for (const std::string_view content : {"abc", "blob 200", "x"}) {
    locations.push_back(put(*store_, content).value());
  }
  std::set<std::string> prefixes;
  for (const Location& location : locations) {
    prefixes.insert(data_of(location).parent_path());
  }
  const Recorder recorder;
  ASSERT_TRUE(store_->remove(locations));
  EXPECT_THAT(recorder.only({"unlink"}), SizeIs(3));
  EXPECT_THAT(recorder.only({"rmdir"}), IsEmpty());
  EXPECT_THAT(recorder.only({"fsync"}), SizeIs(prefixes.size()));
}

TEST_F(FilesystemStoreTest, DamagedBlobOfAnotherSizeIsReplaced) {
  const Location location = put(*store_, "abc").value();
  std::filesystem::resize_file(data_of(location), 1);
  ASSERT_TRUE(put(*store_, "abc"));
  EXPECT_EQ(get(*store_, location).value(), "abc");
}

TEST_F(FilesystemStoreTest, ReadersOfABlobShareADescriptor) {
  const Location location = put(*store_, "abc").value();
  const auto first = store_->open(location).value();
  const auto second = store_->open(location).value();
  EXPECT_EQ(first->file()->descriptor(), second->file()->descriptor());
}

TEST_F(FilesystemStoreTest, ARemovedBlobIsGoneForReadersAndFromTheDisk) {
  const Location location = put(*store_, "abc").value();
  std::weak_ptr<const sys::File> file = store_->open(location).value()->file();
  EXPECT_FALSE(file.expired()) << "kept open for the next reader";
  ASSERT_TRUE(store_->remove(std::span(&location, 1)));
  EXPECT_TRUE(file.expired()) << "an open descriptor would hold the space";
  EXPECT_EQ(store_->open(location).error().code, Code::kNotFound);
}

TEST_F(FilesystemStoreTest, AReaderSeesWhatReplacedADamagedBlob) {
  const Location location = put(*store_, "whole").value();
  std::filesystem::resize_file(data_of(location), 2);
  EXPECT_EQ(store_->open(location).value()->size(), 2U) << "damage shows, also in an open file";
  ASSERT_TRUE(put(*store_, "whole"));
  EXPECT_EQ(get(*store_, location).value(), "whole");
}

TEST_F(FilesystemStoreTest, FewFilesStayOpen) {
  std::vector<std::weak_ptr<const sys::File>> files;
  for (int i = 0; i < 300; ++i) {
    const Location location = put(*store_, std::to_string(i)).value();
    files.push_back(store_->open(location).value()->file());
  }
  EXPECT_EQ(std::count_if(files.begin(), files.end(), [](const auto& f) { return !f.expired(); }),
            256);
}

TEST_F(FilesystemStoreTest, RemovedPrefixDirectoryIsMadeAgain) {
  const Location location = put(*store_, "abc").value();
  std::filesystem::remove_all(data_of(location).parent_path());
  ASSERT_TRUE(put(*store_, "abc"));
  EXPECT_EQ(get(*store_, location).value(), "abc");
}

TEST_F(FilesystemStoreTest, StagedBytesShorterThanTheCheckpointAreLost) {
  const auto writer = store_->begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  const std::string token = writer->checkpoint().value();
  for (const auto& entry : std::filesystem::directory_iterator(root() / "uploads")) {
    std::filesystem::resize_file(entry.path(), 2);
  }
  const auto resumed = store_->resume(token);
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().code, Code::kNotFound);
  EXPECT_EQ(resumed.error().subject, Subject::kUpload);
}

TEST_F(FilesystemStoreTest, AgeOfAnUploadIsItsLastWrite) {
  const auto writer = store_->begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  ASSERT_TRUE(writer->checkpoint());
  EXPECT_THAT(store_->stale_uploads(std::chrono::hours(1)).value(), IsEmpty());
  for (const auto& entry : std::filesystem::directory_iterator(root() / "uploads")) {
    std::filesystem::last_write_time(
        entry.path(), std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  }
  EXPECT_THAT(store_->stale_uploads(std::chrono::hours(1)).value(), SizeIs(1));
  ASSERT_TRUE(writer->append(bytes_of("d")));
  EXPECT_THAT(store_->stale_uploads(std::chrono::hours(1)).value(), IsEmpty());
}

TEST_F(FilesystemStoreTest, AnnouncedSizeReservesABoundedRangeAndGivesItBack) {
  const auto writer = store_->begin(Algorithm::kSha256, std::uint64_t{1} << 50).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));  // A petabyte would not fit.
  const Location location = writer->commit(Digest::of("abc")).value();
  struct stat status{};
  ASSERT_EQ(::stat(data_of(location).c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 3);
  EXPECT_LE(status.st_blocks * 512, 65536);
}

TEST_F(FilesystemStoreTest, FailedSyncVoidsTheUpload) {
  const auto writer = store_->begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  const std::string token = writer->checkpoint().value();
  {
    const sys::ScopedFaults faults([](std::string_view call, const std::filesystem::path&) {
      return call == "fdatasync" ? EIO : 0;
    });
    EXPECT_FALSE(writer->commit(Digest::of("abc")));
  }
  // The kernel may have dropped the bytes and says so only once.
  EXPECT_FALSE(writer->commit(Digest::of("abc")));
  EXPECT_EQ(store_->resume(token).error().code, Code::kNotFound);
  EXPECT_THAT(store_->list("", 10).value(), IsEmpty());
}

TEST_F(FilesystemStoreTest, FullDiskLeavesTheWriterWhereItWas) {
  const auto writer = store_->begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  {
    const sys::FailNth fault(0, ENOSPC);
    const auto appended = writer->append(bytes_of("def"));
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().code, Code::kUnavailable);
    EXPECT_EQ(appended.error().subject, Subject::kStorage);
  }
  EXPECT_EQ(writer->offset(), 3U);
  ASSERT_TRUE(writer->append(bytes_of("def")));
  EXPECT_TRUE(writer->commit(Digest::of("abcdef")));
}

TEST(DigestLocks, SameDigestWaitsOthersMostlyDoNot) {
  DigestLocks locks;
  const auto held = locks.lock("sha256:a");
  EXPECT_TRUE(held.owns_lock());
  // 1024 stripes: some other text has another stripe, else this blocks and the test times out.
  bool other = false;
  for (int i = 0; i < 3 && !other; ++i) {
    other = std::hash<std::string_view>()("sha256:" + std::to_string(i)) % 1024 !=
            std::hash<std::string_view>()("sha256:a") % 1024;
    if (other) {
      EXPECT_TRUE(locks.lock("sha256:" + std::to_string(i)).owns_lock());
    }
  }
  EXPECT_TRUE(other);
}

using testing::BlobStoreContract;
INSTANTIATE_TEST_SUITE_P(Filesystem, BlobStoreContract,
                         ::testing::Values(testing::StoreFactory{
                             "filesystem", [] { return std::make_unique<FilesystemUnderTest>(); }}),
                         testing::factory_name);

}  // namespace
}  // namespace roadstead::storage
