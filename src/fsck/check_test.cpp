#include "fsck/check.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/text.h"
#include "fsck/runner.h"
#include "registry/testing/registry_bench.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::fsck {
namespace {

using registry::testing::config_part;
using registry::testing::image_json;
using registry::testing::index_json;
using registry::testing::layer_part;
using registry::testing::manifest_part;
using registry::testing::RegistryBench;

constexpr std::int64_t kPlenty = 1'000'000'000;
const std::string kConfig = R"({"architecture":"amd64","os":"linux"})";
/// Large enough to be a file, whatever is kept otherwise.
const std::string kLayer(20'000, 'l');

std::string manifest() {
  return image_json(config_part(kConfig), {layer_part(kLayer)});
}

/// One bit of it is another.
std::string flipped(std::string content) {
  content[7] = static_cast<char>(content[7] ^ 1);
  return content;
}

class CheckTest : public ::testing::Test {
 protected:
  CheckTest() : project(bench.add_project("p")) {
    bench.uploads.reset();
    bench.store = storage::open_filesystem_store(directory.path()).value();
    bench.uploads = std::make_unique<registry::Uploads>(bench.database.get(), *bench.store,
                                                        bench.locks, bench.options);
    bench.set_quota(project, kPlenty);
    // The bench makes projects by their rows alone.
    check({.repair = true});
    bench.put_blob("p/app", kConfig);
    bench.put_blob("p/app", kLayer);
    bench.put_manifest("p/app", "v1", manifest());
  }

  Report check(const CheckOptions& options = {}) {
    Check checking({bench.database.get(), *bench.store, bench.locks}, options);
    return checking.run(std::stop_token()).value();
  }
  static std::string kinds_of(const Report& report) {
    std::string kinds;
    for (const auto& [kind, total] : report.totals()) {
      kinds += kinds.empty() ? kind : " " + kind;
    }
    return kinds;
  }
  /// Found as `kinds` and nothing else, repaired, and gone.
  void expect_repaired(const std::string& kinds, const CheckOptions& how = {}) {
    CheckOptions options = how;
    options.repair = false;
    EXPECT_EQ(kinds_of(check(options)), kinds);
    EXPECT_EQ(kinds_of(check(options)), kinds) << "looking changed something";
    options.repair = true;
    const Report repaired = check(options);
    EXPECT_GT(repaired.found(), 0U);
    EXPECT_EQ(repaired.repaired(), repaired.found()) << to_json(repaired, 4096);
    expect_clean(options);
  }
  void expect_clean(CheckOptions options = {.deep = true}) {
    options.repair = false;
    const Report report = check(options);
    EXPECT_EQ(report.found(), 0U) << to_json(report, 4096);
  }
  /// Found, not repairable, still there.
  void expect_stays(const std::string& kinds, const CheckOptions& how = {}) {
    EXPECT_EQ(kinds_of(check(how)), kinds);
    CheckOptions options = how;
    options.repair = true;
    EXPECT_EQ(check(options).repaired(), 0U);
  }

  [[nodiscard]] std::filesystem::path file_of(const std::string& content) const {
    const std::string hex(model::Digest::of(content).hex());
    const auto blobs = std::filesystem::path("blobs/sha256") / hex.substr(0, 2) / hex;
    const auto plain = directory.path() / blobs;
    return std::filesystem::exists(plain)
               ? plain
               : directory.path() / "docker/registry/v2" / blobs / "data";
  }
  /// Copies of tables, leaves first, that no foreign key watches: as a damaged file may be.
  void drop_foreign_keys() {
    for (const std::string table : {"artifact_child", "tag", "artifact_blob", "project_blob",
                                    "repository_blob", "artifact"}) {
      bench.execute("CREATE TABLE copy_of AS SELECT * FROM " + table);
      bench.execute("DROP TABLE " + table);
      bench.execute("ALTER TABLE copy_of RENAME TO " + table);
    }
  }
  std::int64_t layer_id(const std::string& content = kLayer) {
    return bench.number("SELECT id FROM blob WHERE digest = ?",
                        {model::Digest::of(content).to_string()});
  }
  void expect_heals_by_push(const std::string& kind, const CheckOptions& options) {
    expect_stays(kind, options);
    EXPECT_EQ(kinds_of(check(options)), "blob_damaged");
    EXPECT_EQ(bench.number("SELECT COUNT(*) FROM event_outbox WHERE type = 'BLOB_DAMAGED'"), 1);
    bench.put_blob("p/app", kLayer);
    expect_clean();
  }

  RegistryBench bench;
  sys::testing::ScratchDirectory directory;
  ProjectId project;
};

TEST_F(CheckTest, AHealthyStoreIsClean) {
  const std::string child = image_json(config_part("{}"), {layer_part("multi")});
  bench.put_blob("p/multi", "{}");
  bench.put_blob("p/multi", "multi");
  bench.put_manifest("p/multi", "", child);
  bench.put_manifest("p/multi", "all", index_json({manifest_part(child)}));
  bench.put_manifest("p/multi", "",
                     image_json(config_part("{}"), {}, registry::testing::subject_json(child)));
  bench.put_blob("p/app", "only leased");
  bench.put_image("p/gone", "v1", "gone");
  const auto who = bench.person(bench.admin);
  ASSERT_TRUE(registry::delete_repository(bench.database.get(), bench.options,
                                          RegistryBench::remove(who),
                                          registry::testing::repository("p/gone")));
  ASSERT_TRUE(registry::delete_tag(bench.database.get(), bench.options, RegistryBench::remove(who),
                                   registry::testing::repository("p/multi"),
                                   registry::testing::tag("all")));
  expect_clean();
  bench.clock.advance(std::chrono::hours(1'000));
  expect_clean();
}

TEST_F(CheckTest, AMissingFileIsMarkedAndHealsByPush) {
  std::filesystem::remove(file_of(kLayer));
  expect_heals_by_push("blob_missing", {});
}

TEST_F(CheckTest, ATruncatedFileIsMarkedAndHealsByPush) {
  std::filesystem::resize_file(file_of(kLayer), 3);
  expect_heals_by_push("blob_size", {});
}

TEST_F(CheckTest, AFlippedBitIsFoundByReadingAndHealsByPush) {
  std::ofstream(file_of(kLayer)) << flipped(kLayer);
  EXPECT_EQ(check().found(), 0U);
  expect_heals_by_push("blob_corrupt", {.deep = true});
}

TEST_F(CheckTest, ContentThatIsARow) {
  const std::int64_t id = layer_id(kConfig);
  ASSERT_EQ(bench.number("SELECT COUNT(*) FROM blob_content WHERE blob_id = ?", {id}), 1);
  const auto put = [&](std::string_view content) {
    bench.execute("UPDATE blob_content SET bytes = ? WHERE blob_id = ?", {bytes_of(content), id});
  };
  put("short");
  EXPECT_EQ(kinds_of(check()), "blob_size");
  put(flipped(kConfig));
  EXPECT_EQ(check().found(), 0U);
  expect_stays("blob_corrupt", {.deep = true});
  EXPECT_EQ(kinds_of(check()), "blob_damaged");
  bench.put_blob("p/app", kConfig);
  expect_clean();
  bench.execute("DELETE FROM blob_content WHERE blob_id = ?", {id});
  expect_stays("blob_missing");
  bench.put_blob("p/app", kConfig);
  expect_clean();
  bench.execute("INSERT INTO blob_content (blob_id, bytes) VALUES (?, ?)",
                {layer_id(), bytes_of("stray")});
  expect_repaired("content_without_blob");
}

TEST_F(CheckTest, WhatIsGoodAgainLosesItsMark) {
  bench.execute("UPDATE blob SET damaged_at = 1 WHERE id = ?", {layer_id()});
  EXPECT_EQ(kinds_of(check({.repair = true})), "blob_damaged");  // It was not read.
  expect_repaired("blob_damaged", {.deep = true});
}

TEST_F(CheckTest, AFileThatNoRowNamesGoesToTheCollector) {
  const auto writer = bench.store->begin(model::Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("nobody's")));
  ASSERT_TRUE(writer->commit(model::Digest::of("nobody's")));
  expect_repaired("leaked_file");
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 1);
  EXPECT_TRUE(std::filesystem::exists(file_of("nobody's")));
}

/// Before an import nothing names it, and it is everything that its owner has.
TEST_F(CheckTest, WhatAnotherRegistryLeftIsKeptUntilSomebodySaysOtherwise) {
  const std::string hex(model::Digest::of("from elsewhere").hex());
  const auto file =
      directory.path() / "docker/registry/v2/blobs/sha256" / hex.substr(0, 2) / hex / "data";
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << "from elsewhere";
  expect_clean();
  CheckOptions after_a_kill;
  after_a_kill.repair = true;
  after_a_kill.extent = CheckOptions::Extent::kFiles;
  check(after_a_kill);
  check({.repair = true, .deep = true});
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 0);
  expect_repaired("leaked_file", {.left_behind = true});
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 1);
}

TEST_F(CheckTest, AFileThatAManifestNeedsGetsItsRowBack) {
  const std::int64_t id = layer_id();
  for (const std::string table : {"artifact_blob", "project_blob", "repository_blob"}) {
    bench.execute("DELETE FROM " + table + " WHERE blob_id = ?", {id});
  }
  bench.execute("DELETE FROM blob WHERE id = ?", {id});
  const Report repaired = check({.repair = true});
  EXPECT_EQ(kinds_of(repaired), "blob_row_missing edge_missing");
  EXPECT_EQ(repaired.found(), repaired.repaired());
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 0);
  expect_clean();
}

TEST_F(CheckTest, WhatIsLostForGoodIsTold) {
  const std::int64_t id = layer_id();
  for (const std::string table : {"artifact_blob", "project_blob", "repository_blob"}) {
    bench.execute("DELETE FROM " + table + " WHERE blob_id = ?", {id});
  }
  bench.execute("DELETE FROM blob WHERE id = ?", {id});
  std::filesystem::remove(file_of(kLayer));
  bench.execute("INSERT INTO quota_delta (project_id, bytes) VALUES (?, ?)",
                {project, -static_cast<std::int64_t>(kLayer.size())});
  expect_stays("edge_missing");
}

TEST_F(CheckTest, StagedBytesWithoutAnUpload) {
  const std::string name = "01234567-89ab-4cde-8f01-23456789abcd";
  const auto path = directory.path() / "uploads" / name;
  std::ofstream(path) << "half";
  expect_clean();  // It may be a running request's.
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  bench.execute(
      "INSERT INTO upload (id, project_id, repository_id, identity, generation, byte_offset, "
      "storage_token, boot_id, creation_time, expires_at) VALUES ('u', 1, 1, '', 1, 4, ?, '', 0, "
      "0)",
      {"up1/" + name + "/4/0123"});
  expect_clean();
  bench.execute("DELETE FROM upload");
  expect_repaired("leaked_upload");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(CheckTest, DanglingRows) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "the tables are shared with other tests";
  }
  drop_foreign_keys();
  bench.execute("INSERT INTO artifact_blob (artifact_id, blob_id, repository_id) VALUES (77, ?, 1)",
                {layer_id()});
  expect_repaired("edge_without_artifact");
  bench.execute(
      "INSERT INTO artifact_child (artifact_id, child_id, position, descriptor) VALUES "
      "(77, 1, 0, '{}')");
  expect_repaired("child_without_artifact");
  bench.execute("DELETE FROM repository_blob WHERE blob_id = ?", {layer_id()});
  expect_repaired("blob_unreviewed edge_without_repository_blob project_blob_extra");
  bench.execute("UPDATE tag SET artifact_id = 77");
  expect_repaired("tag_without_artifact");
  bench.execute(
      "INSERT INTO repository_blob (repository_id, blob_id, project_id, leased_until) VALUES "
      "(1, 78, 1, 0)");
  expect_repaired("repository_blob_unreviewed repository_blob_without_blob");
}

TEST_F(CheckTest, AnArtifactWithoutItsManifestHealsByPush) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "the tables are shared with other tests";
  }
  drop_foreign_keys();
  bench.execute("DELETE FROM manifest");
  EXPECT_EQ(kinds_of(check()), "artifact_without_manifest quota");
  bench.put_manifest("p/app", "v1", manifest());
  expect_clean();
}

TEST_F(CheckTest, AManifestOfOtherBytesHealsByPush) {
  bench.execute("UPDATE manifest SET bytes = ?", {bytes_of("0")});
  expect_stays("manifest_corrupt");
  bench.put_manifest("p/app", "v1", manifest());
  expect_clean();
  bench.execute("UPDATE manifest SET size = size + 1");
  EXPECT_EQ(kinds_of(check()), "manifest_corrupt quota");
}

TEST_F(CheckTest, EdgesThatTheManifestDemands) {
  bench.execute("DELETE FROM artifact_blob WHERE blob_id = ?", {layer_id()});
  expect_repaired("edge_missing");
  const std::string child = image_json(config_part("{}"), {});
  bench.put_blob("p/app", "{}");
  bench.put_manifest("p/app", "", child);
  bench.put_manifest("p/app", "all", index_json({manifest_part(child)}));
  bench.execute("DELETE FROM artifact_child");
  expect_repaired("artifact_listed edge_missing");
}

TEST_F(CheckTest, SparseIndexesAndForeignLayersAreNoFinding) {
  const std::string absent = image_json(config_part("absent"), {});
  bench.options.sparse_indexes = true;
  bench.put_manifest("p/app", "sparse", index_json({manifest_part(absent)}));
  bench.put_blob("p/app", "{}");
  auto foreign = layer_part("elsewhere");
  foreign.media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  bench.put_manifest("p/app", "foreign", image_json(config_part("{}"), {foreign}));
  expect_clean({.sparse_indexes = true});
  expect_stays("child_missing");
}

TEST_F(CheckTest, Counters) {
  bench.execute("UPDATE repository SET artifact_count = 5");
  expect_repaired("artifact_count");
  bench.execute("UPDATE repository SET artifact_count = 0");
  expect_repaired("artifact_count repository_listed");
  bench.execute("UPDATE repository SET listed = 0");
  bench.execute("DELETE FROM list_bucket WHERE list LIKE '%repository%'");
  expect_repaired("repository_listed");
  bench.execute("UPDATE artifact SET listed = 0");
  EXPECT_EQ(kinds_of(check()), "artifact_listed list_count");
  EXPECT_EQ(check({.repair = true}).found(), 2U);
  expect_clean();
}

TEST_F(CheckTest, EveryCountedList) {
  for (const std::string list : {"project", "repository", "project_repository", "repository_name",
                                 "project_repository_name", "artifact"}) {
    bench.execute("UPDATE list_bucket SET entries = entries + 1 WHERE list = ?", {list});
    expect_repaired("list_count");
    bench.execute("DELETE FROM list_bucket WHERE list = ?", {list});
    expect_repaired("list_count");
  }
}

TEST_F(CheckTest, ALongListIsCountedAgain) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "rows made by SQL that not every engine runs";
  }
  constexpr std::int64_t kMany = 5'000;
  bench.execute(
      "INSERT INTO repository (project_id, name, full_name, description, artifact_count, "
      "pull_count, creation_time, update_time, listed) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
      "SELECT i + 1 FROM n WHERE i < ?) SELECT ?, 'r' || i, 'p/r' || i, '', 0, 0, i, i, 1 FROM n",
      {kMany, project});
  bench.execute("UPDATE repository SET artifact_count = 0");
  check({.repair = true});
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository WHERE listed = 1"), 1);
  expect_clean();
  bench.execute("UPDATE repository SET listed = 1");
  EXPECT_EQ(kinds_of(check()), "list_count repository_listed");
  bench.execute("UPDATE repository SET artifact_count = 1 WHERE id > 1");
  static_cast<void>(check({.repair = true}));
  expect_clean();
}

TEST_F(CheckTest, Usage) {
  bench.execute("INSERT INTO quota_delta (project_id, bytes) VALUES (?, 7)", {project});
  const std::int64_t wrong = bench.used(project);
  expect_repaired("quota");
  EXPECT_EQ(bench.used(project), wrong - 7);
  bench.execute("UPDATE quota SET used = used - 5000");
  expect_repaired("quota");
  EXPECT_EQ(bench.used(project), wrong - 7);
  bench.execute("DELETE FROM quota");
  bench.execute("DELETE FROM quota_delta");
  expect_repaired("quota");
  EXPECT_EQ(bench.used(project), wrong - 7);
}

TEST_F(CheckTest, WhatAProjectCounts) {
  const std::int64_t used = bench.used(project);
  bench.execute("DELETE FROM project_blob WHERE blob_id = ?", {layer_id()});
  EXPECT_EQ(kinds_of(check()), "project_blob_missing quota");
  check({.repair = true});
  expect_clean();
  EXPECT_EQ(bench.used(project), used);
  bench.add_project("q");
  check({.repair = true});
  bench.execute("INSERT INTO project_blob (project_id, blob_id) VALUES (2, ?)", {layer_id()});
  EXPECT_EQ(kinds_of(check()), "project_blob_extra quota");
  check({.repair = true});
  expect_clean();
}

TEST_F(CheckTest, QueuedContentThatIsNamedAgain) {
  bench.execute(
      "INSERT INTO deleting (location, digest, added_at) SELECT location, digest, ? FROM blob "
      "WHERE "
      "id = ?",
      {bench.clock.now(), layer_id()});
  expect_clean();  // The collector will let it go.
  bench.clock.advance(std::chrono::hours(25));
  expect_repaired("deleting_live");
}

TEST_F(CheckTest, WhatTheCollectorWouldNeverLookAt) {
  bench.put_blob("p/app", "leased");
  bench.execute("DELETE FROM review");
  expect_repaired("repository_blob_unreviewed");
  bench.execute("UPDATE artifact SET condemned_at = 1");
  expect_repaired("artifact_unreviewed");
  bench.execute("DELETE FROM repository_blob WHERE blob_id = ?", {layer_id("leased")});
  bench.execute("DELETE FROM project_blob WHERE blob_id = ?", {layer_id("leased")});
  bench.execute("INSERT INTO quota_delta (project_id, bytes) VALUES (?, -6)", {project});
  expect_repaired("blob_unreviewed");
  bench.execute(
      "INSERT INTO manifest (digest, media_type, size, bytes) SELECT ?, media_type, size, bytes "
      "FROM manifest WHERE digest <> ''",
      {"sha256:" + std::string(64, '0')});
  EXPECT_EQ(kinds_of(check()), "manifest_corrupt manifest_unreviewed");
  check({.repair = true});
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM review WHERE kind = 'manifest'"), 1);
}

TEST_F(CheckTest, PushesMeanwhileAreNoFindings) {
  std::atomic<bool> done{false};
  std::thread pusher([&] {
    for (int i = 0; i < 40; ++i) {
      bench.put_image("p/busy", "v" + std::to_string(i % 3), std::to_string(i));
    }
    done = true;
  });
  do {
    const Report report = check({.repair = true});
    EXPECT_EQ(report.found(), 0U) << to_json(report, 4096);
  } while (!done);
  pusher.join();
  expect_clean();
}

TEST_F(CheckTest, ARunnerRunsOneAndKeepsItsReport) {
  log::Sink sink(2, log::Format::kText, log::Level::kError, bench.clock);
  Runner runner({bench.database.get(), *bench.store, bench.locks}, log::Logger(sink));
  EXPECT_FALSE(runner.status().outcome.has_value());
  bench.execute("UPDATE repository SET artifact_count = 5");
  ASSERT_TRUE(runner.start({.repair = true}));
  const Runner::Status ended = runner.wait(std::chrono::minutes(1));
  EXPECT_EQ(ended.outcome->value().repaired(), 1U);
  ASSERT_TRUE(runner.start({}));  // And is stopped by its end, if it still runs then.
}

TEST_F(CheckTest, AReportStaysSmallAndItsTotalsAreWhole) {
  Report report;
  for (int i = 0; i < 5'000; ++i) {
    report.add({"leaked_file", "sha256:" + std::to_string(i), {}, i % 2 == 0});
  }
  const std::string text = to_json(report, 10'000);
  EXPECT_LT(text.size(), 10'000U);
  const auto document = json::Document::parse(text).value();
  EXPECT_EQ(document.root()["found"].as_int(), 5'000);
  EXPECT_EQ(document.root()["repaired"].as_int(), 2'500);
  EXPECT_TRUE(document.root()["truncated"].as_bool().value());
  const std::string people = to_text(document.root()).value();
  EXPECT_NE(people.find("repaired leaked_file: sha256:0\n"), std::string::npos);
  EXPECT_NE(people.find("5000 findings, 2500 repaired, 2500 remain"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::fsck
