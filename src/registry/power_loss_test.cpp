// Cuts the power before every call of a registry that changes the disk, SQLite's calls included,
// and opens a registry on what is left: it must show the state before or after the operation that
// was running, whole, and everything that was acknowledged before it.
#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "db/testing/fault_vfs.h"
#include "registry/collect.h"
#include "registry/testing/disk_registry.h"
#include "registry/testing/registry_bench.h"
#include "registry/upkeep.h"
#include "sys/testing/lossy_disk.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::registry {
namespace {

using sys::testing::LossyDisk;
using sys::testing::ScratchDirectory;
using testing::config_part;
using testing::DiskRegistry;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::subject_json;

const std::string kConfig = R"({"os":"linux"})";
const std::string kLayer = "a layer";  // Small: a row.
const std::string kLarge(300'000, 'l');
const std::string kFirst = image_json(config_part(kConfig), {layer_part(kLayer)});
const std::string kSecond = image_json(config_part(kConfig), {layer_part(kLarge)});
const std::string kIndex = index_json({manifest_part(kFirst), manifest_part(kSecond)});
const std::string kSignature =
    image_json(config_part(kConfig), {layer_part(kLayer)}, subject_json(kFirst));

struct Step {
  std::string name;
  std::function<Result<void>(DiskRegistry&)> run;
};

Result<void> answer_questions(DiskRegistry& registry) {
  const Collected page = TRY(review_due(registry.statements, registry.options, {}));
  EXPECT_EQ(page.problem, "");
  EXPECT_GT(page.reviewed, 0U);
  return {};
}

Result<void> empty_queue(DiskRegistry& registry) {
  TRY(remove_from_store(registry.statements, *registry.store, registry.locks, {}));
  return {};
}

/// Everything a client may do, in an order in which each finds what it needs, and the collector
/// after it.
std::vector<Step> steps(FakeClock& clock) {
  return {
      {"upload", [](DiskRegistry& r) { return r.upload("p/a", kConfig); }},
      {"second upload", [](DiskRegistry& r) { return r.upload("p/a", kLayer); }},
      {"upload in chunks",
       [](DiskRegistry& r) -> Result<void> {
         const std::string id = TRY(r.start("p/a"));
         TRY(r.patch("p/a", id, kLarge.substr(0, 100'000)));
         TRY(r.patch("p/a", id, kLarge.substr(100'000, 100'000)));
         return r.put("p/a", id, kLarge.substr(200'000), kLarge);
       }},
      {"manifest", [](DiskRegistry& r) { return r.push("p/a", "v1", kFirst); }},
      {"move of a tag", [](DiskRegistry& r) { return r.push("p/a", "v1", kSecond); }},
      {"second tag", [](DiskRegistry& r) { return r.push("p/a", "v2", kFirst); }},
      {"index", [](DiskRegistry& r) { return r.push("p/a", "all", kIndex); }},
      {"signature", [](DiskRegistry& r) { return r.push("p/a", "", kSignature); }},
      {"mount",
       [](DiskRegistry& r) -> Result<void> {
         EXPECT_TRUE(TRY(r.mount("p/b", kLayer, "p/a")));
         return {};
       }},
      {"upload of known content", [](DiskRegistry& r) { return r.upload("p/b", kConfig); }},
      {"manifest elsewhere", [](DiskRegistry& r) { return r.push("p/b", "v1", kFirst); }},
      {"delete tag", [](DiskRegistry& r) { return r.remove_tag("p/a", "v2"); }},
      {"delete index", [](DiskRegistry& r) { return r.remove_manifest("p/a", kIndex); }},
      {"delete manifest", [](DiskRegistry& r) { return r.remove_manifest("p/a", kFirst); }},
      {"delete blob", [](DiskRegistry& r) { return r.remove_blob("p/a", kLayer); }},
      {"fold",
       [](DiskRegistry& r) -> Result<void> {
         TRY(fold_quota(r.statements, 100));
         return {};
       }},
      {"delete last manifest", [](DiskRegistry& r) { return r.remove_manifest("p/a", kSecond); }},
      {"delete large blob", [](DiskRegistry& r) { return r.remove_blob("p/a", kLarge); }},
      {"upload of deleted content", [](DiskRegistry& r) { return r.upload("p/b", kLarge); }},
      {"end of all leases",
       [&](DiskRegistry& r) {
         clock.advance(std::chrono::hours(3));
         return answer_questions(r);
       }},
      {"end of the grace period", answer_questions},
      {"removal of files", empty_queue},
      {"upload of collected content", [](DiskRegistry& r) { return r.upload("p/a", kLarge); }},
  };
}

class PowerLoss : public ::testing::TestWithParam<LossyDisk::Loss> {
 protected:
  /// What a registry shows that is opened on what the loss leaves now.
  std::string look(LossyDisk& disk) {
    const ScratchDirectory remains;
    const auto root = remains.path() / "left";
    disk.rebuild(root, GetParam());
    DiskRegistry left({root, vfs_.name(), "another-boot"}, clock_);
    std::string seen = left.observe();
    // Whatever was cut off, the same content can be pushed, and is then there.
    EXPECT_TRUE(left.upload("p/c", kConfig));
    EXPECT_TRUE(left.upload("p/c", kLayer));
    EXPECT_TRUE(left.push("p/c", "again", kFirst));
    EXPECT_TRUE(empty_queue(left));  // What was to be removed before is in use again.
    EXPECT_EQ(left.observe().find("TORN"), std::string::npos);
    return seen;
  }

  /// Whether the remains may differ from those before the last call of this thread. Bytes and names
  /// that nobody synced are gone in any case when all of them are. Checkpoints have a thread of
  /// their own; what they did is seen at the next call of this one.
  bool may_differ(std::string_view call) {
    const bool syncs = call == "fsync" || call == "fdatasync";
    const bool changes = call == "write" || call == "rename" || call == "unlink" ||
                         call == "mkdir" || call == "rmdir" || call == "ftruncate";
    const bool all_lost = GetParam() == LossyDisk::Loss::kAllUnsynced;
    const bool will_differ = syncs || (changes && !all_lost);
    if (std::this_thread::get_id() != thread_) {
      changed_ = changed_ || will_differ;
      return false;
    }
    return changed_.exchange(will_differ);
  }

  const std::thread::id thread_ = std::this_thread::get_id();
  std::atomic<bool> changed_ = true;
  ScratchDirectory scratch_;
  FakeClock clock_{from_micros(1'800'000'000'000'000)};
  db::testing::FaultVfs vfs_;
};

TEST_P(PowerLoss, WhatIsAcknowledgedStaysAndWhatIsNotIsInvisible) {
  std::size_t moments = 0;
  bool watching = false;
  std::map<std::string, std::string> seen;  // State → the call before which it was left.
  LossyDisk* self = nullptr;
  LossyDisk disk(scratch_.path(), [&](std::string_view call, const std::filesystem::path& path) {
    if (!may_differ(call) || !watching) {
      return;
    }
    watching = false;
    ++moments;
    seen.emplace(look(*self), fmt::format("{} {}", call, path.filename().string()));
    watching = true;
  });
  self = &disk;
  // Within the life of the disk, whose hook must not come or go while checkpoints are made.
  DiskRegistry registry({scratch_.path(), vfs_.name(), "this-boot"}, clock_);
  registry.options.grace = std::chrono::seconds(0);
  EXPECT_EQ(look(disk), registry.observe()) << "the first start";
  for (const Step& step : steps(clock_)) {
    SCOPED_TRACE(step.name);
    seen.clear();
    const std::string before = registry.observe();
    watching = true;
    const auto done = step.run(registry);
    watching = false;
    ASSERT_TRUE(done) << describe(done.error());
    const std::string after = registry.observe();
    for (const auto& [state, moment] : seen) {
      EXPECT_TRUE(state == before || state == after) << "before " << moment << ":\n"
                                                     << state << "instead of\n"
                                                     << before << "or\n"
                                                     << after;
    }
    EXPECT_EQ(look(disk), after) << "once it was acknowledged";
    ++moments;
    if (HasFailure()) {
      return;
    }
  }
  EXPECT_GT(moments, 20U);
}

INSTANTIATE_TEST_SUITE_P(Loss, PowerLoss,
                         ::testing::Values(LossyDisk::Loss::kAllUnsynced,
                                           LossyDisk::Loss::kUnsyncedBytes,
                                           LossyDisk::Loss::kUnsyncedTails));

}  // namespace
}  // namespace roadstead::registry
