#include "importer/distribution.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "importer/report.h"
#include "importer/runner.h"
#include "importer/testing/lost_tree.h"
#include "registry/collect.h"
#include "registry/import.h"
#include "registry/testing/registry_bench.h"
#include "sys/file.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::importer {
namespace {

using registry::testing::config_part;
using registry::testing::image_json;
using registry::testing::index_json;
using registry::testing::layer_part;
using registry::testing::manifest_part;
using registry::testing::RegistryBench;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// A tree as CNCF distribution writes it, which is the store's own.
class DistributionTest : public ::testing::Test {
 protected:
  DistributionTest() : root(scratch.path() / "registry") {
    bench.uploads.reset();
    open_store(root);
    principal = bench.person(bench.admin);
    principal.name = "admin";
  }
  void open_store(const fs::path& where) {
    fs::create_directories(where);
    bench.store = storage::open_filesystem_store(where).value();
  }

  // What pushes leave there.

  [[nodiscard]] fs::path tree() const { return root / "docker/registry/v2"; }
  [[nodiscard]] fs::path blob_file(const model::Digest& digest) const {
    const std::string hex(digest.hex());
    return tree() / "blobs" / crypto::to_string(digest.algorithm()) / hex.substr(0, 2) / hex /
           "data";
  }
  [[nodiscard]] fs::path manifests(const std::string& repository) const {
    return tree() / "repositories" / repository / "_manifests";
  }
  [[nodiscard]] fs::path revision(const std::string& repository,
                                  const model::Digest& digest) const {
    return manifests(repository) / "revisions" / crypto::to_string(digest.algorithm()) /
           digest.hex() / "link";
  }
  static void write(const fs::path& path, std::string_view content) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }
  model::Digest put_blob(std::string_view content,
                         model::Algorithm algorithm = model::Algorithm::kSha256) const {
    const auto digest = model::Digest::of(content, algorithm);
    write(blob_file(digest), content);
    return digest;
  }
  model::Digest put_manifest(const std::string& repository, const std::string& tag,
                             std::string_view bytes,
                             model::Algorithm algorithm = model::Algorithm::kSha256) const {
    const auto digest = put_blob(bytes, algorithm);
    write(revision(repository, digest), digest.to_string());
    if (!tag.empty()) {
      write(manifests(repository) / "tags" / tag / "current/link", digest.to_string());
    }
    return digest;
  }
  static std::string image(const std::string& seed) {
    return image_json(config_part("{\"os\":\"linux\",\"author\":\"" + seed + "\"}"),
                      {layer_part("layer of " + seed)});
  }
  model::Digest put_image(const std::string& repository, const std::string& tag,
                          const std::string& seed) const {
    put_blob("{\"os\":\"linux\",\"author\":\"" + seed + "\"}");
    put_blob("layer of " + seed);
    return put_manifest(repository, tag, image(seed));
  }

  // What an import makes of it.

  Result<ImportReport> try_import(const ImportOptions& options = {}) {
    const auto source = open_directory_tree(root);
    DistributionImport work(
        {bench.database.get(), *bench.store, bench.locks, bench.options, principal}, *source,
        options);
    return work.run(std::stop_token());
  }
  ImportReport run(const ImportOptions& options = {}) {
    auto report = try_import(options);
    EXPECT_TRUE(report) << describe(report.error());
    return report ? std::move(*report) : ImportReport{};
  }
  /// Everything else was imported.
  void expect_problem(const std::string& object, const std::string& message) {
    const ImportReport report = run();
    EXPECT_EQ(report.problem_count, 1);
    ASSERT_FALSE(report.problems.empty());
    EXPECT_THAT(report.problems.front(), HasSubstr(object));
    EXPECT_THAT(report.problems.front(), HasSubstr(message));
    EXPECT_TRUE(names("fine/app", "fine"));
  }
  bool names(const std::string& repository, const std::string& tag) {
    return bench.number(
               "SELECT COUNT(*) FROM tag t JOIN repository r ON r.id = t.repository_id WHERE "
               "r.full_name = ? AND t.name = ?",
               {repository, tag}) == 1;
  }
  std::string pull(const std::string& repository, const std::string& tag) {
    return bench.database
        ->read([&](db::ReadSession& session) {
          return session.first(
              "SELECT m.bytes FROM tag t JOIN repository r ON r.id = t.repository_id JOIN artifact "
              "a ON a.id = t.artifact_id JOIN manifest m ON m.id = a.manifest_id WHERE r.full_name "
              "= ? AND t.name = ?",
              {repository, tag}, [](const db::Row& row) { return std::string(row.text(0)); });
        })
        .value()
        .value_or("");
  }
  /// Rows of each table that an import may write to.
  std::vector<std::int64_t> census() {
    std::vector<std::int64_t> counts;
    for (const std::string table : {"project", "repository", "manifest", "artifact", "tag", "blob",
                                    "repository_blob", "artifact_blob", "artifact_child"}) {
      counts.push_back(bench.number("SELECT COUNT(*) FROM " + table));
    }
    return counts;
  }
  /// Every file with its content.
  std::string snapshot() const {
    std::vector<std::string> lines;
    for (const auto& entry : fs::recursive_directory_iterator(tree())) {
      if (entry.is_regular_file()) {
        lines.push_back(entry.path().string() + " " +
                        sys::read_file(entry.path(), 1U << 20U).value());
      }
    }
    std::sort(lines.begin(), lines.end());
    return fmt::format("{}", fmt::join(lines, "\n"));
  }

  RegistryBench bench;
  sys::testing::ScratchDirectory scratch;
  fs::path root;
  auth::Principal principal;
};

TEST_F(DistributionTest, RegistersWhatPushesLeftAndMovesNothing) {
  const auto digest = put_image("p/group/app", "v1", "one");
  put_image("p/group/app", "v2", "two");
  put_image("p/group/app", "", "untagged");
  put_image("busybox", "latest", "box");
  write(manifests("p/group/app") / "tags/v1/index/sha256" / digest.hex() / "link",
        digest.to_string());
  fs::create_directories(tree() / "repositories/p/group/app/_uploads/some-uuid");
  const std::string before = snapshot();
  const ImportReport report = run();
  EXPECT_EQ(report.repositories, 2);
  EXPECT_EQ(report.manifests, 4);
  EXPECT_EQ(report.tags, 3);
  EXPECT_EQ(report.blobs, 8);
  EXPECT_EQ(report.problem_count, 0) << fmt::format("{}", fmt::join(report.problems, "\n"));
  EXPECT_EQ(pull("p/group/app", "v1"), image("one"));
  EXPECT_EQ(pull("library/busybox", "latest"), image("box"));
  EXPECT_EQ(snapshot(), before);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob WHERE location <> digest"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob WHERE verified_at IS NOT NULL"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM project WHERE public = 1"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM project_member WHERE role = 1 AND entity_id = ?",
                         {bench.admin}),
            2);
}

TEST_F(DistributionTest, RunAgainItChangesNothing) {
  put_image("p/app", "v1", "one");
  const std::string child = image("child");
  put_image("p/app", "", "child");
  put_manifest("p/app", "multi", index_json({manifest_part(child)}));
  run();
  const auto before = census();
  const ImportReport again = run();
  EXPECT_EQ(again.manifests + again.tags + again.blobs, 0);
  EXPECT_EQ(again.manifests_present, 3);
  EXPECT_EQ(again.tags_present, 2);
  EXPECT_EQ(census(), before);
}

TEST_F(DistributionTest, IndexesComeAfterWhatTheyName) {
  // By their digests, some indexes come before their children whatever the order of a walk.
  std::string inner;
  for (int i = 0; i < 8; ++i) {
    const std::string seed = fmt::format("child {}", i);
    put_image("p/app", "", seed);
    inner = index_json({manifest_part(image(seed))});
    put_manifest("p/app", "", inner);
    auto part = manifest_part(inner);
    part.media_type = model::media_type::kOciIndex;
    put_manifest("p/app", fmt::format("outer{}", i), index_json({part}));
  }
  const ImportReport report = run();
  EXPECT_EQ(report.problem_count, 0) << fmt::format("{}", fmt::join(report.problems, "\n"));
  EXPECT_EQ(report.manifests, 24);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_child"), 16);
}

TEST_F(DistributionTest, WhatIsAttachedIsFoundByItsSubject) {
  put_image("p/app", "v1", "one");
  put_blob("{}");
  put_manifest("p/app", "",
               image_json(config_part("{}"), {}, registry::testing::subject_json(image("one"))));
  EXPECT_EQ(run().problem_count, 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact WHERE subject_digest = ?",
                         {model::Digest::of(image("one")).to_string()}),
            1);
}

TEST_F(DistributionTest, TellsWhenThingsWerePushed) {
  const auto digest = put_image("p/app", "v1", "one");
  const auto then = fs::file_time_type::clock::now() - std::chrono::hours(1'000);
  fs::last_write_time(revision("p/app", digest), then);
  fs::last_write_time(manifests("p/app") / "tags/v1/current/link", then);
  run();
  const auto pushed = to_micros(sys::modified_at(revision("p/app", digest)).value());
  EXPECT_EQ(bench.number("SELECT push_time FROM artifact"), pushed);
  EXPECT_EQ(bench.number("SELECT push_time FROM tag"), pushed);
}

TEST_F(DistributionTest, SixtyFourHexDigitsAreNotAllThereIs) {
  put_blob("{}");
  const auto digest =
      put_manifest("p/app", "v1", image_json(config_part("{}"), {}), model::Algorithm::kSha512);
  EXPECT_EQ(run().problem_count, 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact WHERE digest = ?", {digest.to_string()}),
            1);
}

TEST_F(DistributionTest, TenThousandTags) {
  const auto digest = put_image("p/app", "", "one");
  for (int i = 0; i < 10'000; ++i) {
    write(manifests("p/app") / "tags" / fmt::format("v{}", i) / "current/link", digest.to_string());
  }
  EXPECT_EQ(run().tags, 10'000);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 10'000);
  EXPECT_EQ(run().tags_present, 10'000);
}

TEST_F(DistributionTest, DeepNamesAndRepositoriesInsideOthers) {
  std::string name = "p";
  while (name.size() < 250) {
    name += "/d";
  }
  put_image(name, "v1", "deep");
  put_image("p/d", "v1", "above");
  EXPECT_EQ(run().repositories, 2);
  EXPECT_TRUE(names(name, "v1"));
  EXPECT_TRUE(names("p/d", "v1"));
}

TEST_F(DistributionTest, ATagThatMovedHereStaysUnlessAsked) {
  const auto old = put_image("p/app", "v1", "old");
  run();
  const auto moved = put_image("p/app", "v1", "new");
  EXPECT_EQ(run().tags_kept, 1);
  EXPECT_EQ(pull("p/app", "v1"), image("old"));
  EXPECT_EQ(run({.move_tags = true}).tags_moved, 1);
  EXPECT_EQ(pull("p/app", "v1"), image("new"));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag_history WHERE digest IN (?, ?)",
                         {old.to_string(), moved.to_string()}),
            2);
}

TEST_F(DistributionTest, NewProjectsArePublicWhenAsked) {
  put_image("p/app", "v1", "one");
  put_image("box", "v1", "box");
  run({.project = "elsewhere", .public_projects = true});
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM project WHERE public = 1"), 2);
  EXPECT_TRUE(names("elsewhere/box", "v1"));
}

TEST_F(DistributionTest, WhatWasDeletedThereStaysDeleted) {
  const auto digest = put_image("p/app", "", "one");
  put_image("p/app", "v2", "two");
  fs::remove(revision("p/app", digest));
  const ImportReport report = run();
  EXPECT_EQ(report.manifests, 1);
  EXPECT_EQ(report.problem_count, 0);
}

/// Each leaves out one thing and nothing else.
class BrokenTreeTest : public DistributionTest {
 protected:
  BrokenTreeTest() { put_image("fine/app", "fine", "fine"); }
  void expect_left_out(const std::string& message, bool tagged) {
    const ImportReport report = run();
    // The tag cannot be set either.
    EXPECT_EQ(report.problem_count, tagged ? 2 : 1);
    ASSERT_FALSE(report.problems.empty());
    EXPECT_THAT(report.problems.front(), HasSubstr("p/app@sha256:"));
    EXPECT_THAT(report.problems.front(), HasSubstr(message));
    EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact"), 1);
    EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 2) << "half of it was imported";
    EXPECT_TRUE(names("fine/app", "fine"));
  }
};

TEST_F(BrokenTreeTest, ABlobThatIsMissing) {
  put_image("p/app", "v1", "one");
  fs::remove(blob_file(model::Digest::of("layer of one")));
  expect_left_out("is missing", true);
}

TEST_F(BrokenTreeTest, ABlobOfAnotherSize) {
  put_image("p/app", "v1", "one");
  write(blob_file(model::Digest::of("layer of one")), "shorter");
  expect_left_out("has 7 bytes, the manifest says 12", true);
}

TEST_F(BrokenTreeTest, ABlobWithOtherBytesIsFoundWhenAskedFor) {
  put_image("p/app", "v1", "one");
  write(blob_file(model::Digest::of("layer of one")), "layer of two");
  const ImportReport report = run({.verify = true});
  EXPECT_EQ(report.problem_count, 2);
  EXPECT_THAT(report.problems.front(), HasSubstr("other bytes"));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob WHERE verified_at IS NULL"), 0);
  EXPECT_EQ(run().problem_count, 0);
}

TEST_F(BrokenTreeTest, AManifestWithoutContent) {
  const auto digest = put_image("p/app", "v1", "one");
  fs::remove(blob_file(digest));
  expect_left_out("its content is missing", true);
}

TEST_F(BrokenTreeTest, AManifestWithOtherBytes) {
  const auto digest = put_image("p/app", "v1", "one");
  write(blob_file(digest), image("two"));
  expect_left_out("other bytes", true);
}

TEST_F(BrokenTreeTest, AManifestThatIsNone) {
  put_manifest("p/app", "", "{}");
  expect_left_out("", false);
}

TEST_F(BrokenTreeTest, AManifestOfSchemaOne) {
  put_manifest("p/app", "", R"({"schemaVersion":1,"name":"app","tag":"v1","fsLayers":[]})");
  expect_left_out("schema 1", false);
}

TEST_F(BrokenTreeTest, AManifestThatIsTooLarge) {
  put_manifest("p/app", "", std::string(model::kManifestSizeMax + 1, ' '));
  expect_left_out("larger", false);
}

TEST_F(BrokenTreeTest, AnIndexWithoutAChild) {
  put_manifest("p/app", "", index_json({manifest_part(image("nowhere"))}));
  expect_left_out("blob unknown", false);
}

TEST_F(BrokenTreeTest, ALinkToAnotherDigest) {
  const auto digest = put_image("p/app", "", "one");
  write(revision("p/app", digest), model::Digest::of("other").to_string());
  expect_left_out("names another digest", false);
}

TEST_F(BrokenTreeTest, ALinkThatHoldsNothing) {
  const auto digest = put_image("p/app", "", "one");
  write(revision("p/app", digest), "");
  expect_left_out("does not hold a digest", false);
}

TEST_F(BrokenTreeTest, ARevisionThatIsNoDigest) {
  write(manifests("fine/app") / "revisions/sha256/nonsense/link", "nonsense");
  expect_problem("fine/app@sha256:nonsense", "");
}

TEST_F(BrokenTreeTest, ATagWithoutALink) {
  fs::create_directories(manifests("fine/app") / "tags/torn");
  expect_problem("fine/app:torn", "");
}

TEST_F(BrokenTreeTest, ATagWithABadLink) {
  write(manifests("fine/app") / "tags/torn/current/link", "sha256:12");
  expect_problem("fine/app:torn", "does not hold a digest");
}

TEST_F(BrokenTreeTest, ATagOfNothing) {
  write(manifests("fine/app") / "tags/lost/current/link", model::Digest::of("deleted").to_string());
  expect_problem("fine/app:lost", "not here");
}

TEST_F(BrokenTreeTest, ATagThatNoClientCouldSay) {
  write(manifests("fine/app") / "tags/-x/current/link", model::Digest::of("x").to_string());
  expect_problem("fine/app:-x", "");
}

TEST_F(BrokenTreeTest, NamesThatAreRefused) {
  put_image("a__b/app", "v1", "one");  // As a project.
  expect_problem("a__b/app", "");
  put_image("Upper/app", "v1", "one");
  EXPECT_EQ(run().problem_count, 2);
}

TEST_F(BrokenTreeTest, TwoRepositoriesThatWouldBecomeOne) {
  put_image("box", "v1", "one");
  put_image("library/box", "v1", "two");
  expect_problem("box", "choose another --project");
  EXPECT_EQ(pull("library/box", "v1"), image("two"));
  EXPECT_EQ(run({.project = "other"}).problem_count, 0);
  EXPECT_EQ(pull("other/box", "v1"), image("one"));
}

TEST_F(BrokenTreeTest, LinksThatLeadInACircle) {
  fs::create_directory_symlink(tree() / "repositories/fine", tree() / "repositories/fine/loop");
  expect_problem("fine/loop", "symbolic link");
}

TEST_F(BrokenTreeTest, APipeIsNotOpened) {
  const auto digest = put_image("p/app", "", "one");
  fs::remove(revision("p/app", digest));
  ASSERT_EQ(::mkfifo(revision("p/app", digest).c_str(), 0600), 0);
  expect_left_out("not a file", false);
}

TEST_F(BrokenTreeTest, ATreeOfSomethingElse) {
  fs::remove_all(tree() / "repositories");
  const auto report = try_import();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().subject, Subject::kConfiguration);
  EXPECT_FALSE(try_import({.project = "No Project"}));
}

TEST_F(BrokenTreeTest, AProjectThatIsFull) {
  const ProjectId project = bench.add_project("p");
  bench.set_quota(project, 1'000);
  put_image("p/app", "v1", "one");
  put_image("p/app", "v2", std::string(400, 'x'));
  const ImportReport report = run();
  EXPECT_EQ(report.problem_count, 2);
  EXPECT_TRUE(names("p/app", "v1"));
  EXPECT_FALSE(names("p/app", "v2"));
}

TEST_F(BrokenTreeTest, ContentThatIsKnownToBeDamagedIsNotBelieved) {
  put_image("p/app", "v1", "one");
  run();
  bench.execute("UPDATE blob SET damaged_at = 1 WHERE digest = ?",
                {model::Digest::of("layer of one").to_string()});
  put_image("p/copy", "v1", "one");
  const ImportReport report = run();
  EXPECT_EQ(report.problem_count, 2);
  EXPECT_THAT(report.problems.front(), HasSubstr("damaged"));
}

TEST_F(DistributionTest, AStoppedImportGoesOn) {
  for (int i = 0; i < 40; ++i) {
    put_image("p/app", fmt::format("v{}", i), fmt::format("image {}", i));
  }
  const auto source = open_directory_tree(root);
  std::stop_source stop;
  stop.request_stop();
  DistributionImport work(
      {bench.database.get(), *bench.store, bench.locks, bench.options, principal}, *source, {});
  const auto stopped = work.run(stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  EXPECT_EQ(run().tags, 40);
}

TEST_F(DistributionTest, ATreeThatGoesAwayEndsTheImportAndLeavesNothingOut) {
  put_image("p/app", "v1", "one");
  put_image("library/box", "v1", "above");
  put_image("box", "v1", "below");
  put_manifest("p/app", "multi", index_json({manifest_part(image("one"))}));
  const auto tree = open_directory_tree(root);
  for (int calls = 0; calls < 1'000; ++calls) {
    testing::LostTree lost(*tree, calls);
    DistributionImport work(
        {bench.database.get(), *bench.store, bench.locks, bench.options, principal}, lost,
        {.verify = true});
    const auto report = work.run(std::stop_token());
    if (report) {
      EXPECT_GT(calls, 20);
      EXPECT_THAT(report->problems, ElementsAre(HasSubstr("choose another --project")));
      break;
    }
    ASSERT_EQ(report.error().code, Code::kUnavailable) << calls << describe(report.error());
    // Of what it is true whether the tree is away or not.
    EXPECT_LE(work.progress().problem_count, 1) << calls;
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 3);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact"), 3);
}

TEST_F(DistributionTest, TheCollectorTakesNothingThatWasImported) {
  put_image("p/app", "v1", "one");
  run();
  bench.clock.advance(std::chrono::hours(1'000));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(registry::review_due(bench.database.get(), bench.options, {}));
    bench.clock.advance(std::chrono::hours(100));
  }
  ASSERT_TRUE(registry::remove_from_store(bench.database.get(), *bench.store, bench.locks, {}));
  EXPECT_TRUE(fs::exists(blob_file(model::Digest::of("layer of one"))));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 2);
}

TEST_F(DistributionTest, CopiesIntoAnotherStore) {
  open_store(scratch.path() / "store");
  put_image("p/app", "v1", "one");
  const std::string before = snapshot();
  const ImportReport report = run({.copy = true});
  EXPECT_EQ(report.copied, 2);
  EXPECT_EQ(report.blobs, 2);
  EXPECT_EQ(report.problem_count, 0);
  const auto locations = bench.store->list("", 10).value();
  EXPECT_EQ(locations.size(), 2U);
  EXPECT_EQ(run({.copy = true}).copied, 0);
  EXPECT_EQ(snapshot(), before);
  write(blob_file(model::Digest::of("layer of one")), "layer of two");
  put_image("p/other", "v1", "other");
  write(blob_file(model::Digest::of("layer of other")), "layer of wrong");
  const ImportReport again = run({.copy = true});
  EXPECT_EQ(again.problem_count, 2);
  EXPECT_THAT(again.problems.front(), HasSubstr("other bytes"));
}

TEST_F(DistributionTest, ManyProblemsAreCountedAndSomeKept) {
  put_image("p/app", "v1", "one");
  for (int i = 0; i < 150; ++i) {
    fs::create_directories(manifests("p/app") / "tags" / fmt::format("torn{}", i));
  }
  const ImportReport report = run();
  EXPECT_EQ(report.problem_count, 150);
  EXPECT_EQ(report.problems.size(), ImportReport::kProblemsMax);
  const auto document = json::Document::parse(to_json(report, 2'000)).value();
  const ImportReport read = report_from(document.root());
  EXPECT_EQ(read.problem_count, 150);
  EXPECT_EQ(read.tags, 1);
  EXPECT_LT(read.problems.size(), 100U);
  EXPECT_THAT(to_text(read), HasSubstr("150 problems"));
}

TEST_F(DistributionTest, ARunnerDoesOneAtATime) {
  put_image("p/app", "v1", "one");
  log::Sink sink(2, log::Format::kText, log::Level::kError, bench.clock);
  Runner runner(
      {bench.database.get(), *bench.store, bench.locks, bench.options, log::Logger(sink)});
  EXPECT_FALSE(runner.status().outcome);
  ASSERT_TRUE(runner.start(open_directory_tree(root), {}));
  const auto status = runner.wait(std::chrono::minutes(1));
  ASSERT_TRUE(status.outcome && *status.outcome);
  EXPECT_EQ((*status.outcome)->tags, 1);
}

}  // namespace
}  // namespace roadstead::importer
