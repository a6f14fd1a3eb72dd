#include "backup/backup.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "backup/restore.h"
#include "base/text.h"
#include "registry/blob_content.h"
#include "registry/hold.h"
#include "registry/testing/registry_bench.h"
#include "sys/file.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::backup {
namespace {

using registry::testing::RegistryBench;
namespace fs = std::filesystem;

/// Content that is a file in the store, not a row.
std::string large(std::string_view text) {
  return std::string(text) + std::string(registry::kInlineMax, '.');
}

constexpr std::string_view kKey =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/// Sees to it that the hold is there whenever it matters.
class WatchedSource final : public Source {
 public:
  explicit WatchedSource(db::Database& database) : database_(database), real_(database) {}
  Result<std::string> take_hold(std::string_view owner, std::chrono::seconds duration) override {
    return real_.take_hold(owner, duration);
  }
  Result<void> renew_hold(const std::string& id, std::chrono::seconds duration) override {
    if (expire) {
      TRY(real_.release_hold(id));
    }
    return real_.renew_hold(id, duration);
  }
  Result<void> release_hold(const std::string& id) override { return real_.release_hold(id); }
  Result<void> copy_database(const fs::path& to) override {
    held_at_snapshot = held();
    return real_.copy_database(to);
  }
  bool held() {
    return database_.read([](db::ReadSession& session) { return registry::any_hold(session); })
        .value();
  }
  bool held_at_snapshot = false;
  bool expire = false;

 private:
  db::Database& database_;
  DatabaseSource real_;
};

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() : source(bench.database.get()) {
    project = bench.add_project("p");
    EXPECT_TRUE(sys::replace_file(scratch.path() / "secret.key", kKey));
    options.directory = scratch.path() / "backup";
    options.secret_key = scratch.path() / "secret.key";
    options.version = "1";
    store = storage::open_filesystem_store(scratch.path() / "store").value();
    bench.uploads = std::make_unique<registry::Uploads>(bench.database.get(), *store, bench.locks,
                                                        bench.options);
  }

  BackupReport back_up() {
    bench.clock.advance(std::chrono::seconds(1));  // Names of copies tell their time.
    auto report = make_backup(source, *store, options, bench.clock);
    EXPECT_TRUE(report) << describe(report.error());
    return std::move(*report);
  }
  VerifyReport verify() { return verify_backup(options.directory, bench.clock).value(); }
  Result<RestoreReport> restore(const std::string& name) {
    RestoreOptions how;
    how.directory = options.directory;
    how.data_directory = scratch.path() / name;
    how.database = how.data_directory / "roadstead.db";
    how.open_store = [where = how.data_directory / "storage"] {
      return storage::open_filesystem_store(where);
    };
    log::Sink sink(2, log::Format::kText, log::Level::kError, bench.clock);
    return restore_backup(how, bench.clock, log::Logger(sink));
  }
  fs::path content_of(std::string_view content) {
    const auto digest = model::Digest::of(large(content));
    return options.directory / "content" / "sha256" / digest.hex().substr(0, 2) / digest.hex();
  }

  RegistryBench bench;
  sys::testing::ScratchDirectory scratch;
  std::unique_ptr<storage::BlobStore> store;
  WatchedSource source;
  BackupOptions options;
  ProjectId project;
};

TEST_F(BackupTest, ARestoredInstallationHasEverything) {
  bench.put_image("p/app", "v1", "seed one");
  const std::string layer(3'000'000, 'x');
  const auto digest = bench.put_blob("p/app", layer);
  const BackupReport report = back_up();
  EXPECT_EQ(report.blobs, 3);
  EXPECT_EQ(report.copied, 1);  // The others are rows.
  EXPECT_EQ(report.problem_count, 0);
  EXPECT_EQ(verify().problem_count, 0);
  const auto restored = restore("data");
  ASSERT_TRUE(restored) << describe(restored.error());
  EXPECT_EQ(restored->blobs, 3);
  EXPECT_EQ(sys::read_file(scratch.path() / "data" / "secret.key", 100).value(), kKey);
  EXPECT_FALSE(sys::exists(scratch.path() / "data" / kUnfinished).value());
  const auto again = storage::open_filesystem_store(scratch.path() / "data" / "storage").value();
  std::int64_t tags = 0;
  std::string location;
  ASSERT_TRUE(db::read_sqlite_file(
      scratch.path() / "data" / "roadstead.db", bench.clock,
      [&](db::ReadSession& session) -> Result<void> {
        tags = TRY(session.first("SELECT COUNT(*) FROM tag", {}, [](const db::Row& row) {
                 return row.integer(0);
               })).value();
        location =
            TRY(session.first("SELECT location FROM blob WHERE digest = ?", {digest.to_string()},
                              [](const db::Row& row) { return std::string(row.text(0)); }))
                .value();
        // The hold of the backup itself must not stop collection in the copy.
        EXPECT_FALSE(TRY(registry::any_hold(session)));
        return {};
      }));
  EXPECT_EQ(tags, 1);
  const auto reader = again->open(storage::Location{location}).value();
  std::string bytes(layer.size(), ' ');
  EXPECT_EQ(reader->read_at(0, std::as_writable_bytes(std::span(bytes))).value(), layer.size());
  EXPECT_EQ(bytes, layer);
}

TEST_F(BackupTest, ASecondBackupCopiesOnlyWhatIsNew) {
  bench.put_image("p/app", "v1", "one");
  back_up();
  EXPECT_EQ(back_up().copied, 0);
  bench.put_blob("p/app", large("something new"));
  const BackupReport report = back_up();
  EXPECT_EQ(report.copied, 1);
  EXPECT_EQ(report.blobs, 3);
  EXPECT_EQ(verify().problem_count, 0);
}

TEST_F(BackupTest, CollectionIsHeldOffFromBeforeTheSnapshotUntilTheEnd) {
  bench.put_image("p/app", "v1", "one");
  back_up();
  EXPECT_TRUE(source.held_at_snapshot);
  EXPECT_FALSE(source.held());
}

TEST_F(BackupTest, ABackupWhoseHoldEndedEarlyDoesNotCount) {
  bench.put_image("p/app", "v1", "one");
  const BackupReport first = back_up();
  source.expire = true;
  bench.clock.advance(std::chrono::seconds(1));
  EXPECT_FALSE(make_backup(source, *store, options, bench.clock));
  EXPECT_EQ(verify().database, first.database);
  // What the failed one left is cleared by the next.
  source.expire = false;
  back_up();
  const auto names = sys::list_directory(options.directory / "databases").value();
  EXPECT_EQ(names.size(), 4U);
}

TEST_F(BackupTest, VerifyFindsEveryDamage) {
  bench.put_blob("p/app", large("flipped"));
  bench.put_blob("p/app", large("missing"));
  bench.put_blob("p/app", large("cut short"));
  back_up();
  auto file = sys::File::open(content_of("flipped"), sys::File::Mode::kReadWrite).value();
  ASSERT_TRUE(file.write_at(0, bytes_of("F")));
  ASSERT_TRUE(sys::remove(content_of("missing")));
  auto cut = sys::File::open(content_of("cut short"), sys::File::Mode::kReadWrite).value();
  ASSERT_TRUE(cut.truncate(3));
  EXPECT_EQ(verify().problem_count, 3);
  ASSERT_TRUE(sys::remove(options.directory / "secret.key"));
  EXPECT_EQ(verify().problem_count, 4);
}

TEST_F(BackupTest, DamagedContentIsNotRestored) {
  bench.put_blob("p/app", large("flipped"));
  back_up();
  auto file = sys::File::open(content_of("flipped"), sys::File::Mode::kReadWrite).value();
  ASSERT_TRUE(file.write_at(0, bytes_of("F")));
  const auto restored = restore("data");
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, Code::kDigestMismatch);
  // No server takes what is there for an installation, and no second attempt goes over it.
  EXPECT_FALSE(sys::exists(scratch.path() / "data" / "roadstead.db").value());
  EXPECT_TRUE(sys::exists(scratch.path() / "data" / kUnfinished).value());
  EXPECT_EQ(restore("data").error().code, Code::kConflict);
}

TEST_F(BackupTest, RestoringOverSomethingIsRefused) {
  back_up();
  ASSERT_TRUE(sys::make_directory(scratch.path() / "used"));
  ASSERT_TRUE(sys::replace_file(scratch.path() / "used" / "precious", "x"));
  const auto refused = restore("used");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_EQ(sys::list_directory(scratch.path() / "used").value().size(), 1U);
}

TEST_F(BackupTest, WhatTheStoreHasLostIsReportedAndTheRestIsKept) {
  const auto lost = bench.put_blob("p/app", large("lost"));
  bench.put_blob("p/app", large("kept"));
  const auto location =
      bench.database
          ->read([&](db::ReadSession& session) {
            return session.first(
                "SELECT location FROM blob WHERE digest = ?", {lost.to_string()},
                [](const db::Row& row) { return storage::Location{std::string(row.text(0))}; });
          })
          .value()
          .value();
  ASSERT_TRUE(store->remove(std::span(&location, 1)));
  const BackupReport report = back_up();
  ASSERT_EQ(report.problem_count, 1);
  EXPECT_NE(report.problems.front().find(lost.to_string()), std::string::npos);
  EXPECT_TRUE(sys::exists(content_of("kept")).value());
}

TEST_F(BackupTest, OldCopiesGoWithTheContentOnlyTheyNeeded) {
  options.keep = 2;
  bench.put_blob("p/app", large("old"));
  back_up();
  bench.execute("DELETE FROM project_blob");
  bench.execute("DELETE FROM repository_blob");
  bench.execute("DELETE FROM blob");
  bench.put_blob("p/app", large("new"));
  EXPECT_EQ(back_up().removed, 0);
  EXPECT_TRUE(sys::exists(content_of("old")).value());
  EXPECT_EQ(back_up().removed, 1);
  EXPECT_FALSE(sys::exists(content_of("old")).value());
  EXPECT_TRUE(sys::exists(content_of("new")).value());
  EXPECT_EQ(sys::list_directory(options.directory / "databases").value().size(), 4U);
}

TEST_F(BackupTest, ContentMayStayWhereItIs) {
  options.content = false;
  bench.put_blob("p/app", large("stays"));
  EXPECT_EQ(back_up().copied, 0);
  EXPECT_FALSE(sys::exists(options.directory / "content").value());
  EXPECT_FALSE(verify().content);
  // The store is not in the new data directory, so the content is missing there.
  EXPECT_EQ(restore("data").error().code, Code::kNotFound);
  fs::create_directory(scratch.path() / "moved");
  fs::rename(scratch.path() / "store", scratch.path() / "moved" / "storage");
  const auto restored = restore("moved");
  ASSERT_TRUE(restored) << describe(restored.error());
  EXPECT_FALSE(restored->content);
}

TEST_F(BackupTest, LinksShareTheStoresFile) {
  options.link = true;
  bench.put_blob("p/app", large("linked"));
  EXPECT_EQ(back_up().linked, 1);
  struct stat status{};
  ASSERT_EQ(::stat(content_of("linked").c_str(), &status), 0);
  EXPECT_EQ(status.st_nlink, 2U);
}

TEST_F(BackupTest, TheBackupIsPrivate) {
  fs::create_directory(options.directory);
  fs::permissions(options.directory, fs::perms::all);
  bench.put_blob("p/app", large("secret content"));
  back_up();
  for (const auto& entry : fs::recursive_directory_iterator(options.directory)) {
    EXPECT_EQ(entry.status().permissions() & fs::perms(077), fs::perms::none) << entry.path();
  }
  EXPECT_EQ(fs::status(options.directory).permissions(), fs::perms::owner_all);
}

}  // namespace
}  // namespace roadstead::backup
