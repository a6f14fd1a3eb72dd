#include <algorithm>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "registry/blob_content.h"
#include "registry/collect.h"
#include "registry/internal/content.h"
#include "registry/testing/registry_bench.h"
#include "storage/filesystem.h"
#include "sys/faults.h"
#include "sys/testing/scratch_directory.h"

// Blobs that are rows: what is one, and that everything about blobs holds for them too.
namespace roadstead::registry {
namespace {

using ::testing::IsEmpty;
using testing::RegistryBench;
using testing::repository;

constexpr std::chrono::seconds kAnyAge{0};
const std::string kSmall = "small content";
const std::string kLargest(kInlineMax, 'x');
const std::string kTooLarge(kInlineMax + 1, 'x');

class SmallBlobTest : public ::testing::Test {
 protected:
  SmallBlobTest() : project(bench.add_project("p")), who(bench.person(bench.admin)) {}

  std::string start() {
    return bench.uploads->start(RegistryBench::push(who), repo, model::Algorithm::kSha256)
        .value()
        .id;
  }
  std::unique_ptr<UploadSession> open(const std::string& id, Chunk chunk = {}) {
    auto session = bench.uploads->open(RegistryBench::push(who), repo, id, chunk);
    EXPECT_TRUE(session) << describe(session.error());
    return std::move(*session);
  }
  void patch(const std::string& id, std::string_view bytes, bool announced = true) {
    const auto session =
        open(id, {std::nullopt, announced ? std::optional(bytes.size()) : std::nullopt});
    ASSERT_TRUE(session->write(bytes_of(bytes)));
    ASSERT_TRUE(session->checkpoint());
  }
  Result<FoundBlob> find(std::string_view content, bool head = false) {
    return bench.database->read_once([&](db::ReadSession& session) {
      return find_blob(session, RegistryBench::pull(who), repo, model::Digest::of(content),
                       {head, bench.options.grace});
    });
  }
  std::string location_of(std::string_view content) { return find(content).value().location.value; }
  bool is_row(std::string_view content) {
    const auto found = find(content).value();
    EXPECT_EQ(found.bytes.has_value(), found.location.value == kInlineLocation);
    EXPECT_TRUE(!found.bytes || *found.bytes == content);
    return found.bytes.has_value();
  }
  void expect_store_untouched() {
    EXPECT_THAT(bench.store->list("", 10).value(), IsEmpty());
    EXPECT_THAT(bench.store->stale_uploads(kAnyAge).value(), IsEmpty());
  }
  /// As if `content` had been pushed before small blobs were rows.
  storage::Location make_file(std::string_view content) {
    bench.put_blob("p/app", content);
    const auto writer = bench.store->begin(model::Algorithm::kSha256, 0).value();
    EXPECT_TRUE(writer->append(bytes_of(content)));
    const model::Digest digest = model::Digest::of(content);
    auto location = writer->commit(digest).value();
    bench.execute("DELETE FROM blob_content");
    bench.execute("UPDATE blob SET location = ? WHERE digest = ?",
                  {location.value, digest.to_string()});
    return location;
  }

  RegistryBench bench;
  ProjectId project;
  auth::Principal who;
  model::RepositoryName repo = repository("p/app");
};

TEST_F(SmallBlobTest, OneRequestMakesARowAndNothingElse) {
  const std::string id = start();
  const auto session = open(id, {0, kSmall.size(), true});
  ASSERT_TRUE(session->write(bytes_of(kSmall)));
  ASSERT_TRUE(session->commit(model::Digest::of(kSmall)));
  EXPECT_TRUE(is_row(kSmall));
  expect_store_untouched();
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
  EXPECT_EQ(bench.used(project), static_cast<std::int64_t>(kSmall.size()));
  const auto head = find(kSmall, true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->size, static_cast<std::int64_t>(kSmall.size()));
  EXPECT_FALSE(head->bytes) << "HEAD reads no content";
}

TEST_F(SmallBlobTest, NoFileIsTouchedOnDiskEither) {
  const sys::testing::ScratchDirectory scratch;
  bench.store = storage::open_filesystem_store(scratch.path()).value();
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  std::vector<std::string> calls;
  {
    // SQLite's own calls do not come by here.
    const sys::ScopedFaults recorder([&](std::string_view call, const std::filesystem::path&) {
      if (call != "statvfs") {
        calls.emplace_back(call);
      }
      return 0;
    });
    bench.put_blob("p/app", kSmall);
    const std::string id = start();
    patch(id, "in ");
    patch(id, "pieces", false);
    ASSERT_TRUE(open(id)->commit(model::Digest::of("in pieces")));
    EXPECT_EQ(find(kSmall).value().bytes, kSmall);
  }
  EXPECT_THAT(calls, IsEmpty());
}

TEST_F(SmallBlobTest, SizeDecides) {
  bench.put_blob("p/app", "");
  bench.put_blob("p/app", kLargest);
  bench.put_blob("p/app", kTooLarge);
  EXPECT_TRUE(is_row(""));
  EXPECT_TRUE(is_row(kLargest));
  EXPECT_FALSE(is_row(kTooLarge));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 2);
}

TEST_F(SmallBlobTest, PatchedBytesLieInTheRowOfTheUpload) {
  const std::string id = start();
  patch(id, "abc");
  patch(id, "def", false);
  expect_store_untouched();
  EXPECT_EQ(bench.number("SELECT byte_offset FROM upload WHERE content = ?", {bytes_of("abcdef")}),
            6);
  // Also for another process.
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto session = open(id, {6, 3, true});
  ASSERT_TRUE(session->write(bytes_of("ghi")));
  ASSERT_TRUE(session->commit(model::Digest::of("abcdefghi")));
  EXPECT_TRUE(is_row("abcdefghi"));
  expect_store_untouched();
}

TEST_F(SmallBlobTest, AnUploadThatGrowsMovesIntoTheStore) {
  for (const bool announced : {true, false}) {
    const std::string half(10'000, announced ? 'a' : 'b');
    const std::string whole = fmt::format("{0}{0}{0}", half);
    const std::string id = start();
    patch(id, half, announced);
    expect_store_untouched();
    patch(id, half, announced);
    EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload WHERE content IS NULL"), 1);
    const auto session = open(id, {20'000, 10'000, true});
    ASSERT_TRUE(session->write(bytes_of(half)));
    ASSERT_TRUE(session->commit(model::Digest::of(whole)));
    EXPECT_FALSE(is_row(whole));
    const auto location = find(whole)->location;
    EXPECT_EQ(bench.store->stat(location).value(), 30'000U);
    ASSERT_TRUE(bench.store->remove(std::span(&location, 1)));
  }
}

TEST_F(SmallBlobTest, AnUploadThatTheStoreStagedStaysThere) {
  // Begun by a version that staged every upload.
  const std::string id = start();
  patch(id, "abc");
  const auto writer = bench.store->begin(model::Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("abc")));
  const std::string token = writer->checkpoint().value();
  bench.execute("UPDATE upload SET storage_token = ?, content = NULL", {token});
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto session = open(id, {3, 3, true});
  ASSERT_TRUE(session->write(bytes_of("def")));
  ASSERT_TRUE(session->commit(model::Digest::of("abcdef")));
  EXPECT_FALSE(is_row("abcdef"));
}

TEST_F(SmallBlobTest, AWrongDigestEndsTheUploadAndKeepsNothing) {
  const std::string id = start();
  patch(id, "abc");
  EXPECT_EQ(open(id)->commit(model::Digest::of("other")).error().code, Code::kDigestMismatch);
  for (const auto& wrong :
       {model::Digest::of("other"), model::Digest::of("other", model::Algorithm::kSha512)}) {
    const auto session =
        bench.uploads->open_single(RegistryBench::push(who), repo, wrong.algorithm(), 3).value();
    ASSERT_TRUE(session->write(bytes_of("abc")));
    EXPECT_EQ(session->commit(wrong).error().code, Code::kDigestMismatch);
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
  EXPECT_FALSE(bench.uploads->status(RegistryBench::push(who), repo, id));
}

TEST_F(SmallBlobTest, ACommitThatFailsLeavesTheUploadAsItWas) {
  const std::string id = start();
  patch(id, "abc");
  {
    const auto session = open(id, {3, 3, true});
    ASSERT_TRUE(session->write(bytes_of("def")));
    bench.set_quota(project, 5);
    EXPECT_EQ(session->commit(model::Digest::of("abcdef")).error().subject, Subject::kQuota);
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench.used(project), 0);
  bench.set_quota(project, 6);
  const auto again = open(id, {3, 3, true});
  ASSERT_TRUE(again->write(bytes_of("def")));
  EXPECT_TRUE(again->commit(model::Digest::of("abcdef")));
  EXPECT_EQ(bench.used(project), 6);
}

TEST_F(SmallBlobTest, EqualPushesAtOnceAreOneRow) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        EXPECT_TRUE(bench.try_blob(who, "p/app" + std::to_string(t), std::to_string(i)));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 25);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 25);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob"), 100);
  EXPECT_EQ(bench.used(project), 10 + 15 * 2) << "each content once";
}

TEST_F(SmallBlobTest, ABlobThatIsAFileStaysAFile) {
  const auto location = make_file(kSmall);
  bench.put_blob("p/app", kSmall);
  bench.put_blob("p/other", kSmall);
  EXPECT_EQ(location_of(kSmall), location.value);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 0);
}

TEST_F(SmallBlobTest, AFileOfContentThatIsARowIsQueuedForRemoval) {
  bench.put_blob("p/app", kSmall);
  const storage::Location file{"sha256:somewhere"};
  const model::Digest digest = model::Digest::of(kSmall);
  for (int i = 0; i < 2; ++i) {
    bench.database
        ->write([&](db::WriteSession& session) {
          return internal::ensure_blob(session, digest, {kSmall.size(), file, {}});
        })
        .value();
    EXPECT_TRUE(is_row(kSmall));
    EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting WHERE location = ?", {file.value}), 1);
  }
}

TEST_F(SmallBlobTest, TheRowNamesTheFileThatWasWrittenLast) {
  bench.put_blob("p/app", kTooLarge);
  const std::string lies_at = location_of(kTooLarge);
  bench.execute("UPDATE blob SET location = 'sha256:lost'");
  bench.put_blob("p/app", kTooLarge);
  EXPECT_EQ(location_of(kTooLarge), lies_at);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting WHERE location = 'sha256:lost'"), 1);
}

TEST_F(SmallBlobTest, OfTwoUploadsToLocationsOfTheirOwnTheFirstStays) {
  bench.uploads.reset();
  bench.store = storage::make_memory_store({.own_locations = true});
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto digest = bench.put_blob("p/app", kTooLarge);
  const std::string first = location_of(kTooLarge);
  bench.put_blob("p/other", kTooLarge);
  EXPECT_EQ(location_of(kTooLarge), first);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting WHERE location <> ?", {first}), 1);
  EXPECT_EQ(bench.store->list("", 10).value().size(), 2U);
  const auto removed = remove_from_store(bench.database.get(), *bench.store, bench.locks,
                                         {.count = 10, .workers = 1});
  EXPECT_EQ(removed.value(), std::vector<std::string>{digest.to_string()});
  EXPECT_EQ(bench.store->list("", 10).value(), std::vector<storage::Location>{{first}});
  // What is queued and named all the same stays.
  bench.execute(
      "INSERT INTO deleting (location, digest, added_at) SELECT location, digest, 0 FROM blob");
  ASSERT_TRUE(remove_from_store(bench.database.get(), *bench.store, bench.locks,
                                {.count = 10, .workers = 1}));
  EXPECT_TRUE(bench.store->stat({first}));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 0);
  // What was found damaged is replaced by what came last.
  bench.execute("UPDATE blob SET damaged_at = 1");
  bench.put_blob("p/app", kTooLarge);
  EXPECT_NE(location_of(kTooLarge), first);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting WHERE location = ?", {first}), 1);
}

TEST_F(SmallBlobTest, IsMountedAsAnyOther) {
  const auto digest = bench.put_blob("p/app", kSmall);
  EXPECT_TRUE(
      bench.uploads->mount(RegistryBench::push(who), repository("p/to"), digest, repo).value());
  EXPECT_TRUE(
      bench.uploads->mount(RegistryBench::push(who), repository("p/on"), digest, std::nullopt)
          .value());
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob"), 3);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 1);
}

TEST_F(SmallBlobTest, AConfigIsReadFromItsRow) {
  bench.put_image("p/app", "v1", "seed");
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact WHERE extra_attributes LIKE '%amd64%'"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 2);
}

TEST_F(SmallBlobTest, DroppingABlobTakesItsContentOrQueuesItsFile) {
  bench.put_blob("p/app", kSmall);
  bench.put_blob("p/app", kTooLarge);
  const std::string location = location_of(kTooLarge);
  const auto blobs = bench.database
                         ->read([](db::ReadSession& session) {
                           return session.all("SELECT id FROM blob", {},
                                              [](const db::Row& row) { return row.id<BlobId>(0); });
                         })
                         .value();
  const auto drop = [&](BlobId blob) {
    return bench.database->write(
        [&](db::WriteSession& session) { return internal::drop_blob(session, blob); });
  };
  for (const BlobId blob : blobs) {
    EXPECT_EQ(drop(blob).error().code, Code::kConflict) << "a repository holds it";
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 0);
  EXPECT_TRUE(is_row(kSmall));
  bench.execute("DELETE FROM repository_blob");
  bench.execute("DELETE FROM project_blob");
  for (const BlobId blob : blobs) {
    EXPECT_TRUE(drop(blob).value());
    EXPECT_FALSE(drop(blob).value()) << "gone already";
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting WHERE location = ?", {location}), 1);
}

TEST_F(SmallBlobTest, WhetherAnybodyHoldsABlobIsALookIntoAnIndex) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  const std::string any =
      bench.database.explain("SELECT 1 FROM repository_blob WHERE blob_id = ? LIMIT 1");
  EXPECT_NE(any.find("repository_blob_holders (blob_id=?)"), std::string::npos) << any;
}

}  // namespace
}  // namespace roadstead::registry
