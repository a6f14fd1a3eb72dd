#include "fsck/scrubber.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "registry/testing/registry_bench.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::fsck {
namespace {

using registry::testing::RegistryBench;

// Large enough to be files, whatever is kept otherwise.
const std::string kFirst(20'000, 'f');
const std::string kSecond(30'000, 's');

class ScrubberTest : public ::testing::Test {
 protected:
  ScrubberTest() : sink(-1, log::Format::kText, log::Level::kError, bench.clock) {
    bench.uploads.reset();
    bench.store = storage::open_filesystem_store(directory.path()).value();
    bench.uploads = std::make_unique<registry::Uploads>(bench.database.get(), *bench.store,
                                                        bench.locks, bench.options);
    bench.add_project("p");
    bench.put_blob("p/app", kFirst);
    bench.clock.advance(std::chrono::hours(1));
    bench.put_blob("p/app", kSecond);
    bench.clock.advance(std::chrono::hours(24 * 30));
  }
  Scrubber::Parts parts() {
    return {bench.database.get(), *bench.store, bench.locks, log::Logger(sink)};
  }
  [[nodiscard]] std::filesystem::path file_of(const std::string& content) const {
    const std::string hex(model::Digest::of(content).hex());
    const auto blobs = std::filesystem::path("blobs/sha256") / hex.substr(0, 2) / hex;
    const auto plain = directory.path() / blobs;
    return std::filesystem::exists(plain)
               ? plain
               : directory.path() / "docker/registry/v2" / blobs / "data";
  }
  std::int64_t damaged() {
    return bench.number("SELECT COUNT(*) FROM blob WHERE damaged_at IS NOT NULL");
  }

  RegistryBench bench;
  sys::testing::ScratchDirectory directory;
  log::Sink sink;
};

TEST_F(ScrubberTest, VerifiesWhatWaitsLongestAndRemembersIt) {
  Scrubber scrubber(parts(), {});
  EXPECT_GT(scrubber.oldest_age().value(), std::chrono::hours(24 * 30));
  EXPECT_EQ(scrubber.scrub_due(1).value(), 1U);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob WHERE verified_at = ? AND digest = ?",
                         {bench.clock.now(), model::Digest::of(kFirst).to_string()}),
            1);
  Scrubber after_a_restart(parts(), {});
  EXPECT_EQ(after_a_restart.scrub_due(10).value(), 1U);
  EXPECT_EQ(after_a_restart.statistics().bytes, kSecond.size());
  EXPECT_EQ(after_a_restart.scrub_due(10).value(), 0U);
  EXPECT_EQ(scrubber.oldest_age().value(), std::chrono::seconds(0));
}

TEST_F(ScrubberTest, DamageIsMarkedToldAndHealed) {
  std::ofstream(file_of(kFirst)) << "F" + kFirst.substr(1);
  std::filesystem::resize_file(file_of(kSecond), 2);
  Scrubber scrubber(parts(), {});
  EXPECT_EQ(scrubber.scrub_due(10).value(), 2U);
  EXPECT_EQ(scrubber.statistics().damaged, 2U);
  EXPECT_EQ(damaged(), 2);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM event_outbox WHERE type = 'BLOB_DAMAGED'"), 2);
  bench.put_blob("p/app", kFirst);
  EXPECT_EQ(damaged(), 1);
  std::ofstream(file_of(kSecond)) << kSecond;  // As from a backup.
  bench.clock.advance(std::chrono::hours(24 * 30));
  EXPECT_EQ(scrubber.scrub_due(10).value(), 2U);
  EXPECT_EQ(damaged(), 0);
  EXPECT_EQ(scrubber.statistics().damaged, 2U);
}

TEST_F(ScrubberTest, WorksOnItsOwnThreadAndEndsAtOnce) {
  std::ofstream(file_of(kFirst)) << "F" + kFirst.substr(1);
  {
    const Scrubber scrubber(parts(), {.bytes_per_second = 1U << 30U});
    while (scrubber.statistics().blobs < 2) {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(damaged(), 1);
  bench.clock.advance(std::chrono::hours(24 * 30));
  const auto began = std::chrono::steady_clock::now();
  // At this rate the first piece would take hours.
  {
    const Scrubber slow(parts(), {.bytes_per_second = 1});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

}  // namespace
}  // namespace roadstead::fsck
