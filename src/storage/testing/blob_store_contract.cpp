#include "storage/testing/blob_store_contract.h"

#include <algorithm>
#include <array>
#include <random>
#include <thread>

#include <gmock/gmock.h>

#include "base/text.h"
#include "storage/digest_locks.h"

namespace roadstead::storage::testing {

using model::Algorithm;
using model::Digest;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace {

constexpr std::chrono::seconds kAnyAge{0};

Location location_of_absent() {
  return Location{Digest::of("never uploaded").to_string()};
}

std::unique_ptr<BlobWriter> begin_with(BlobStore& store, std::string_view content) {
  auto writer = store.begin(Algorithm::kSha256, 0).value();
  EXPECT_TRUE(writer->append(bytes_of(content)));
  return writer;
}

}  // namespace

std::string factory_name(const ::testing::TestParamInfo<StoreFactory>& info) {
  return info.param.name;
}

Result<Location> put(BlobStore& store, std::string_view content) {
  const auto writer = TRY(store.begin(Algorithm::kSha256, content.size()));
  TRY(writer->append(bytes_of(content)));
  return writer->commit(Digest::of(content));
}

Result<std::string> get(BlobStore& store, const Location& location) {
  const auto reader = TRY(store.open(location));
  std::string content(reader->size() + 1, '\0');  // One more than there may be.
  const std::size_t n = TRY(reader->read_at(0, std::as_writable_bytes(std::span(content))));
  content.resize(n);
  return content;
}

std::vector<std::string> list_all(BlobStore& store, std::size_t count) {
  std::vector<std::string> all;
  for (;;) {
    const auto page = store.list(all.empty() ? "" : all.back(), count).value();
    EXPECT_LE(page.size(), count);
    if (page.empty()) {
      return all;
    }
    for (const Location& location : page) {
      all.push_back(location.value);
    }
  }
}

std::string sample_bytes(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
  return bytes;
}

void BlobStoreContract::SetUp() {
  under_test_ = GetParam().make();
}

TEST_P(BlobStoreContract, AbsentBlobIsNotFound) {
  for (const auto& code_and_subject :
       {store().stat(location_of_absent()).error(), store().open(location_of_absent()).error()}) {
    EXPECT_EQ(code_and_subject.code, Code::kNotFound);
    EXPECT_EQ(code_and_subject.subject, Subject::kBlob);
  }
  EXPECT_THAT(list_all(store(), 10), IsEmpty());
}

TEST_P(BlobStoreContract, CommittedBlobIsReadBack) {
  const std::string content = sample_bytes(100'000);
  const Location location = put(store(), content).value();
  EXPECT_LE(location.value.size(), 255U);
  EXPECT_EQ(store().stat(location).value(), content.size());
  EXPECT_EQ(get(store(), location).value(), content);
  restart();
  EXPECT_EQ(get(store(), location).value(), content);
}

TEST_P(BlobStoreContract, PartsOfABlobAreRead) {
  const auto reader = store().open(put(store(), "0123456789").value()).value();
  EXPECT_EQ(reader->size(), 10U);
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ(reader->read_at(3, buffer).value(), 4U);
  EXPECT_EQ(text_of(buffer), "3456");
  EXPECT_EQ(reader->read_at(8, buffer).value(), 2U);
  EXPECT_EQ(text_of(std::span(buffer).first(2)), "89");
  EXPECT_EQ(reader->read_at(10, buffer).value(), 0U);
  EXPECT_EQ(reader->read_at(1000, buffer).value(), 0U);
  if (reader->file() != nullptr) {
    EXPECT_EQ(reader->file()->size().value(), 10U);
    EXPECT_EQ(reader->file()->read_at(0, buffer).value(), 4U);
    EXPECT_EQ(text_of(buffer), "0123");
  }
}

TEST_P(BlobStoreContract, EmptyBlobIsABlob) {
  const auto writer = store().begin(Algorithm::kSha256, 0).value();
  const Location location = writer->commit(Digest::of("")).value();
  EXPECT_EQ(store().stat(location).value(), 0U);
  EXPECT_EQ(get(store(), location).value(), "");
}

TEST_P(BlobStoreContract, NothingIsVisibleBeforeCommit) {
  const Location expected = put(store(), "abc").value();
  ASSERT_TRUE(store().remove(std::span(&expected, 1)));
  const auto writer = begin_with(store(), "abc");
  ASSERT_TRUE(writer->checkpoint());
  EXPECT_EQ(store().stat(expected).error().code, Code::kNotFound);
  EXPECT_THAT(list_all(store(), 10), IsEmpty());
}

TEST_P(BlobStoreContract, WrongDigestPublishesNothingAndDiscardsNothing) {
  const auto writer = begin_with(store(), "abc");
  for (const Digest& wrong : {Digest::of("abcd"), Digest::of("abcd", Algorithm::kSha512)}) {
    const auto committed = writer->commit(wrong);
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, Code::kDigestMismatch);
    EXPECT_EQ(committed.error().subject, Subject::kDigest);
  }
  EXPECT_THAT(list_all(store(), 10), IsEmpty());
  EXPECT_EQ(writer->offset(), 3U);
  ASSERT_TRUE(writer->append(bytes_of("d")));
  EXPECT_EQ(get(store(), writer->commit(Digest::of("abcd")).value()).value(), "abcd");
}

TEST_P(BlobStoreContract, OtherAlgorithmAtCommit) {
  const std::string content = sample_bytes(3'000'000);
  const auto writer = begin_with(store(), content);
  const Location location = writer->commit(Digest::of(content, Algorithm::kSha512)).value();
  EXPECT_EQ(get(store(), location).value(), content);
  const auto sha512 = store().begin(Algorithm::kSha512, 0).value();
  ASSERT_TRUE(sha512->append(bytes_of("x")));
  EXPECT_TRUE(sha512->commit(Digest::of("x", Algorithm::kSha512)));
}

TEST_P(BlobStoreContract, UploadGoesOnFromACheckpointInAnotherProcess) {
  const std::string content = sample_bytes(1000);
  std::string token;
  {
    const auto writer = begin_with(store(), content.substr(0, 300));
    token = writer->checkpoint().value();
    // Behind the checkpoint: lost on purpose.
    ASSERT_TRUE(writer->append(bytes_of("garbage")));
  }
  EXPECT_EQ(std::count_if(token.begin(), token.end(), [](char c) { return c < ' ' || c > '~'; }),
            0);
  restart();
  {
    const auto writer = store().resume(token).value();
    EXPECT_EQ(writer->offset(), 300U);
    ASSERT_TRUE(writer->append(bytes_of(content).subspan(300, 400)));
    token = writer->checkpoint().value();
  }
  restart();
  const auto writer = store().resume(token).value();
  ASSERT_TRUE(writer->append(bytes_of(content).subspan(700)));
  EXPECT_EQ(get(store(), writer->commit(Digest::of(content)).value()).value(), content);
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
}

TEST_P(BlobStoreContract, CheckpointBeforeTheFirstByte) {
  const std::string token = store().begin(Algorithm::kSha256, 0).value()->checkpoint().value();
  restart();
  const auto writer = store().resume(token).value();
  EXPECT_EQ(writer->offset(), 0U);
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  EXPECT_TRUE(writer->commit(Digest::of("abc")));
}

TEST_P(BlobStoreContract, EarlierCheckpointCutsOffLaterBytes) {
  std::string token;
  {
    const auto writer = begin_with(store(), "ab");
    token = writer->checkpoint().value();
    ASSERT_TRUE(writer->append(bytes_of("XY")));
    ASSERT_TRUE(writer->checkpoint());
  }
  const auto writer = store().resume(token).value();
  ASSERT_TRUE(writer->append(bytes_of("c")));
  EXPECT_EQ(get(store(), writer->commit(Digest::of("abc")).value()).value(), "abc");
}

TEST_P(BlobStoreContract, WriterWithoutCheckpointLeavesNothing) {
  {
    const auto writer = begin_with(store(), "abc");
  }
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
}

TEST_P(BlobStoreContract, DiscardedUploadIsGone) {
  const auto writer = begin_with(store(), "abc");
  const std::string token = writer->checkpoint().value();
  ASSERT_TRUE(writer->discard());
  EXPECT_FALSE(writer->append(bytes_of("d")));
  EXPECT_FALSE(writer->commit(Digest::of("abc")));
  const auto resumed = store().resume(token);
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().code, Code::kNotFound);
  EXPECT_EQ(resumed.error().subject, Subject::kUpload);
  EXPECT_TRUE(store().discard(token));
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
}

TEST_P(BlobStoreContract, LeftUploadIsStaleAndCanBeDiscarded) {
  const std::string token = begin_with(store(), "abc")->checkpoint().value();
  restart();
  EXPECT_THAT(store().stale_uploads(std::chrono::hours(1)).value(), IsEmpty());
  const auto stale = store().stale_uploads(kAnyAge).value();
  ASSERT_THAT(stale, SizeIs(1));
  ASSERT_TRUE(store().discard(stale[0]));
  EXPECT_TRUE(store().discard(stale[0]));
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
  EXPECT_EQ(store().resume(token).error().code, Code::kNotFound);
}

TEST_P(BlobStoreContract, ForgedTokensAreRefused) {
  const std::string token = begin_with(store(), "abc")->checkpoint().value();
  for (std::size_t size = 0; size < token.size(); ++size) {
    EXPECT_FALSE(store().resume(token.substr(0, size))) << size;
  }
  for (const std::string& forged :
       {std::string("../../etc/passwd"), token + "0", token + "/", " " + token, std::string()}) {
    EXPECT_FALSE(store().resume(forged)) << forged;
    EXPECT_FALSE(store().discard(forged)) << forged;
  }
  EXPECT_TRUE(store().resume(token));
}

TEST_P(BlobStoreContract, SameContentTwiceIsOneBlob) {
  const Location first = put(store(), "abc").value();
  const auto reader = store().open(first).value();
  const Location second = put(store(), "abc").value();
  EXPECT_EQ(get(store(), first).value(), "abc");
  EXPECT_EQ(get(store(), second).value(), "abc");
  std::array<std::byte, 3> buffer{};
  EXPECT_EQ(reader->read_at(0, buffer).value(), 3U);
  EXPECT_EQ(text_of(buffer), "abc");
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
}

TEST_P(BlobStoreContract, CommittedWriterIsSpent) {
  const auto writer = begin_with(store(), "abc");
  const Location location = writer->commit(Digest::of("abc")).value();
  EXPECT_FALSE(writer->append(bytes_of("d")));
  EXPECT_FALSE(writer->checkpoint());
  static_cast<void>(writer->discard());
  EXPECT_EQ(get(store(), location).value(), "abc");
}

TEST_P(BlobStoreContract, RemovedBlobsAreGoneForNewReadersOnly) {
  const std::vector<Location> locations = {put(store(), "a").value(), put(store(), "b").value(),
                                           put(store(), "c").value()};
  const auto reader = store().open(locations[0]).value();
  ASSERT_TRUE(store().remove(std::span(locations).first(2)));
  ASSERT_TRUE(store().remove(locations));  // Two of them are absent now.
  ASSERT_TRUE(store().remove({}));
  for (const Location& location : locations) {
    EXPECT_EQ(store().stat(location).error().code, Code::kNotFound);
  }
  std::array<std::byte, 1> buffer{};
  EXPECT_EQ(reader->read_at(0, buffer).value(), 1U);
  EXPECT_EQ(text_of(buffer), "a");
  EXPECT_EQ(get(store(), put(store(), "a").value()).value(), "a");
}

TEST_P(BlobStoreContract, ListPagesThroughEverythingOnce) {
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    expected.push_back(put(store(), "blob " + std::to_string(i)).value().value);
  }
  for (const std::size_t count : {1U, 7U, 50U, 1000U}) {
    EXPECT_THAT(list_all(store(), count), ::testing::UnorderedElementsAreArray(expected));
  }
}

TEST_P(BlobStoreContract, ForeignLocationsAreRefused) {
  const Location kept = put(store(), "abc").value();
  for (const std::string& value :
       {std::string(), std::string("../../../../etc/passwd"), std::string("/etc/passwd"),
        kept.value + "/../x", std::string(1000, 'a')}) {
    EXPECT_FALSE(store().stat(Location{value})) << value;
    EXPECT_FALSE(store().open(Location{value})) << value;
  }
  const std::vector<Location> mixed = {kept, Location{"../x"}};
  EXPECT_FALSE(store().remove(mixed));
  EXPECT_TRUE(store().stat(kept));
}

TEST_P(BlobStoreContract, SizeHintIsOnlyAHint) {
  const std::string content = sample_bytes(1000);
  for (const std::uint64_t hint : {std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{1} << 21}) {
    const auto writer = store().begin(Algorithm::kSha256, hint).value();
    ASSERT_TRUE(writer->append(bytes_of(content)));
    const Location location = writer->commit(Digest::of(content)).value();
    EXPECT_EQ(store().stat(location).value(), content.size());
    EXPECT_EQ(get(store(), location).value(), content);
    ASSERT_TRUE(store().remove(std::span(&location, 1)));
  }
}

TEST_P(BlobStoreContract, LargeBlobInUnevenPieces) {
  const std::string content = sample_bytes(20'000'000);
  const auto writer = store().begin(Algorithm::kSha256, content.size()).value();
  std::size_t piece = 1;
  for (std::size_t at = 0; at < content.size(); at += piece) {
    piece = std::min<std::size_t>(piece * 3, 1'500'001);
    ASSERT_TRUE(writer->append(bytes_of(std::string_view(content).substr(at, piece))));
  }
  EXPECT_EQ(writer->offset(), content.size());
  EXPECT_EQ(get(store(), writer->commit(Digest::of(content)).value()).value(), content);
}

TEST_P(BlobStoreContract, ThreadsMayUploadAndRemoveTheSameContent) {
  DigestLocks locks;
  const std::string content = sample_bytes(5000);
  const Digest digest = Digest::of(content);
  const Location location = put(store(), content).value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const auto writer = begin_with(store(), content);
        const auto lock = locks.lock(digest.to_string());
        const Location published = writer->commit(digest).value();
        EXPECT_EQ(published == location, !store().traits().own_locations);
        EXPECT_EQ(get(store(), published).value(), content);
        if ((i + t) % 5 == 0) {
          EXPECT_TRUE(store().remove(std::span(&published, 1)));
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
}

TEST_P(BlobStoreContract, ReplacingContentLeavesItReadable) {
  const Location first = put(store(), "abc").value();
  for (int i = 0; i < 2; ++i) {
    const auto writer = begin_with(store(), "abc");
    writer->replace_existing();
    const Location location = writer->commit(Digest::of("abc")).value();
    EXPECT_EQ(location == first, !store().traits().own_locations);
    EXPECT_EQ(get(store(), location).value(), "abc");
    ASSERT_TRUE(store().remove(std::span(&location, 1)));  // And where nothing is to replace.
  }
  const auto digest = digest_at(first).value();
  EXPECT_EQ(digest.has_value(), !store().traits().own_locations);
  EXPECT_EQ(digest.value_or(Digest::of("abc")), Digest::of("abc"));
  EXPECT_FALSE(digest_at(Location{"../etc"}));
}

TEST_P(BlobStoreContract, LargeUploadGoesOnInAnotherProcess) {
  const std::string content = sample_bytes(40'000'000);
  std::string token;
  std::size_t at = 0;
  // Ends behind a full part, within one, and with more or less than what may be one.
  for (const std::size_t end : {9'000'000U, 9'000'001U, 16'777'216U, 23'000'000U, 31'500'000U}) {
    {
      const auto writer = token.empty() ? store().begin(Algorithm::kSha256, 0).value()
                                        : store().resume(token).value();
      EXPECT_EQ(writer->offset(), at);
      ASSERT_TRUE(writer->append(bytes_of(content).subspan(at, end - at)));
      token = writer->checkpoint().value();
      ASSERT_TRUE(writer->append(bytes_of(sample_bytes(10'000'000, 2))));
    }
    at = end;
    restart();
  }
  EXPECT_LE(token.size(), 4096U) << "it becomes a row";
  const auto writer = store().resume(token).value();
  ASSERT_TRUE(writer->append(bytes_of(content).subspan(at)));
  EXPECT_EQ(get(store(), writer->commit(Digest::of(content)).value()).value(), content);
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
}

TEST_P(BlobStoreContract, OtherAlgorithmAtCommitOfALargeBlob) {
  const std::string content = sample_bytes(20'000'000);
  {
    const auto writer = begin_with(store(), content);
    EXPECT_EQ(writer->commit(Digest::of("other", Algorithm::kSha512)).error().code,
              Code::kDigestMismatch);
    EXPECT_THAT(list_all(store(), 10), IsEmpty());
  }
  const auto writer = begin_with(store(), content);
  const Location location = writer->commit(Digest::of(content, Algorithm::kSha512)).value();
  EXPECT_EQ(get(store(), location).value(), content);
}

TEST_P(BlobStoreContract, LargeUploadThatIsDroppedLeavesNothing) {
  const std::string content = sample_bytes(30'000'000);
  {
    const auto writer = begin_with(store(), content);
  }
  const auto writer = begin_with(store(), content);
  const std::string token = writer->checkpoint().value();
  ASSERT_TRUE(writer->discard());
  EXPECT_EQ(store().resume(token).error().code, Code::kNotFound);
  EXPECT_THAT(store().stale_uploads(kAnyAge).value(), IsEmpty());
  EXPECT_THAT(list_all(store(), 10), IsEmpty());
}

TEST_P(BlobStoreContract, FreeSpaceIsToldWhereThereIsALimit) {
  const auto space = store().free_space();
  ASSERT_TRUE(space);
  EXPECT_TRUE(!space->has_value() || **space > 0);
}

}  // namespace roadstead::storage::testing
