// Each test is one rule of the collector's. What random histories come to is in
// collect_model_test.cpp.
#include "registry/collect.h"

#include <array>
#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "registry/testing/registry_bench.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::RegistryBench;
using testing::repository;
using testing::tag;

/// Large enough to be a file.
const std::string kFile(20'000, 'f');

class Collect : public ::testing::Test {
 protected:
  Collect() : project_(bench_.add_project("p")) {}

  /// A whole run. What it removed, as text.
  std::set<std::string> run(bool delete_untagged = false) {
    std::set<std::string> removed;
    drain(removed);
    if (delete_untagged) {
      EXPECT_TRUE(condemn_untagged(bench_.database.get(), bench_.options, {}, 1000).has_value());
      drain(removed);
    }
    for (;;) {
      const auto digests =
          remove_from_store(bench_.database.get(), *bench_.store, bench_.locks, {10, 2});
      EXPECT_TRUE(digests.has_value());
      if (digests->empty()) {
        return removed;
      }
    }
  }
  void drain(std::set<std::string>& removed) {
    for (std::size_t forgotten = 1; forgotten > 0;) {
      for (;;) {
        const auto page = review_due(bench_.database.get(), bench_.options, {.count = 3});
        ASSERT_TRUE(page.has_value());
        EXPECT_EQ(page->postponed, 0U) << page->problem;
        for (const Removed& item : page->removed) {
          removed.insert(item.name);
        }
        if (page->reviewed == 0) {
          break;
        }
      }
      const auto trash = forget_trash(bench_.database.get(), bench_.options, 10);
      ASSERT_TRUE(trash.has_value());
      forgotten = *trash;
    }
  }
  void pass_lease() { bench_.clock.advance(bench_.options.lease() + std::chrono::seconds{1}); }
  void pass_grace() { bench_.clock.advance(bench_.options.grace); }

  void remove_manifest(const std::string& name, const model::Digest& digest) {
    const auto principal = bench_.person(bench_.admin);
    ASSERT_TRUE(delete_manifest(bench_.database.get(), bench_.options,
                                RegistryBench::remove(principal), repository(name), digest)
                    .has_value());
  }
  bool head_blob(const std::string& name, std::string_view content) {
    const auto principal = bench_.person(bench_.admin);
    return bench_.database
        ->read([&](db::ReadSession& session) {
          return find_blob(session, RegistryBench::pull(principal), repository(name),
                           model::Digest::of(content), {true, bench_.options.grace});
        })
        .has_value();
  }
  /// Contents that take room, as files and as rows.
  std::int64_t stored_contents() {
    const auto page = bench_.store->list("", 1000);
    return page ? static_cast<std::int64_t>(page->size()) +
                      bench_.number("SELECT COUNT(*) FROM blob_content")
                : -1;
  }

  RegistryBench bench_;
  ProjectId project_;
};

TEST_F(Collect, ABlobWithoutManifestGoesAfterLeaseAndGrace) {
  bench_.put_blob("p/a", "layer");
  EXPECT_TRUE(run().empty());
  EXPECT_EQ(bench_.used(project_), 5);
  pass_lease();
  EXPECT_TRUE(run().empty()) << "only condemned";
  EXPECT_EQ(bench_.used(project_), 0) << "counts while its lease lives";
  EXPECT_TRUE(head_blob("p/a", "layer"));
  bench_.clock.advance(bench_.options.grace / 2);
  EXPECT_FALSE(head_blob("p/a", "layer")) << "too late to promise it";
  bench_.clock.advance(bench_.options.grace / 2 - std::chrono::seconds{1});
  EXPECT_TRUE(run().empty());
  bench_.clock.advance(std::chrono::seconds{1});
  EXPECT_EQ(run(), std::set<std::string>{model::Digest::of("layer").to_string()});
  EXPECT_EQ(stored_contents(), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM deleting"), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM project_blob"), 0);
}

TEST_F(Collect, WhatIsReferredToStays) {
  bench_.put_image("p/a", "v1", "seed");
  const std::int64_t stored = stored_contents();
  pass_lease();
  run();
  pass_grace();
  EXPECT_TRUE(run(true).empty());
  EXPECT_EQ(stored_contents(), stored);
}

TEST_F(Collect, ADeletedImageGoesWithItsContentAfterTheGrace) {
  const model::Digest digest = bench_.put_image("p/a", "v1", "seed");
  pass_lease();
  run();
  remove_manifest("p/a", digest);
  run();
  EXPECT_GT(stored_contents(), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM manifest"), 1) << "can be restored";
  pass_grace();
  const auto removed = run();
  EXPECT_TRUE(removed.contains(digest.to_string()));
  EXPECT_EQ(stored_contents(), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM manifest"), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM artifact_trash"), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM repository"), 0) << "nothing is in it any more";
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM review WHERE kind <> 'repository' AND due_at <= ?",
                          {bench_.clock.now()}),
            0);
}

TEST_F(Collect, ContentSharedWithAnotherRepositoryStays) {
  const model::Digest digest = bench_.put_image("p/a", "v1", "seed");
  bench_.put_image("p/b", "v1", "seed");
  const std::int64_t stored = stored_contents();
  pass_lease();
  run();
  remove_manifest("p/a", digest);
  run();
  pass_grace();
  EXPECT_TRUE(run().empty());
  EXPECT_EQ(stored_contents(), stored);
  EXPECT_FALSE(head_blob("p/a", "layer seed"));
}

TEST_F(Collect, APushRevivesWhatIsCondemned) {
  const model::Digest layer = bench_.put_blob("p/a", "layer");
  const model::Digest config = bench_.put_blob("p/a", "{}");
  pass_lease();
  run();
  bench_.clock.advance(bench_.options.grace / 2 - std::chrono::seconds{1});
  // A client was told by HEAD that both are there.
  bench_.put_manifest("p/a", "v1", image_json(config_part("{}"), {layer_part("layer")}));
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM repository_blob WHERE condemned_at IS NOT NULL"),
            0);
  pass_grace();
  EXPECT_TRUE(run().empty());
  EXPECT_TRUE(head_blob("p/a", "layer"));
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM project_blob"), 2);
}

TEST_F(Collect, AMountFromCondemnedContentKeepsIt) {
  bench_.put_blob("p/a", "layer");
  pass_lease();
  run();
  const auto principal = bench_.person(bench_.admin);
  const auto mounted = bench_.uploads->mount(RegistryBench::push(principal), repository("p/b"),
                                             model::Digest::of("layer"), repository("p/a"));
  ASSERT_TRUE(mounted.has_value() && *mounted);
  pass_grace();
  EXPECT_TRUE(run().empty());
  EXPECT_FALSE(head_blob("p/a", "layer"));
  EXPECT_TRUE(head_blob("p/b", "layer"));
}

TEST_F(Collect, UntaggedArtifactsStayUntilSomebodyAsks) {
  const model::Digest old = bench_.put_image("p/a", "v1", "old");
  bench_.put_image("p/a", "v1", "new");
  pass_lease();
  run();
  pass_grace();
  EXPECT_TRUE(run().empty());
  EXPECT_TRUE(run(true).empty()) << "condemned by this run";
  pass_grace();
  EXPECT_TRUE(run().contains("p/a@" + old.to_string())) << "removed by any later one";
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM artifact"), 1);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM untagged"), 0);
}

TEST_F(Collect, ATagSavesACondemnedArtifact) {
  const std::string bytes = image_json(config_part("{}"), {});
  bench_.put_blob("p/a", "{}");
  bench_.put_manifest("p/a", "", bytes);
  pass_lease();
  run(true);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM artifact WHERE condemned_at IS NOT NULL"), 1);
  bench_.put_manifest("p/a", "v1", bytes);
  pass_grace();
  EXPECT_TRUE(run(true).empty());
}

TEST_F(Collect, ChildrenOfALiveIndexStay) {
  bench_.put_blob("p/a", "{}");
  const std::string child = image_json(config_part("{}"), {});
  bench_.put_manifest("p/a", "", child);
  bench_.put_manifest("p/a", "multi", index_json({manifest_part(child)}));
  pass_lease();
  run(true);
  pass_grace();
  EXPECT_TRUE(run(true).empty());
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM artifact"), 2);
}

TEST_F(Collect, AnUntaggedIndexTakesItsChildrenWithIt) {
  bench_.options.grace = std::chrono::seconds{0};
  bench_.put_blob("p/a", "{}");
  const std::string child = image_json(config_part("{}"), {});
  bench_.put_manifest("p/a", "", child);
  bench_.put_manifest("p/a", "", index_json({manifest_part(child)}));
  pass_lease();
  EXPECT_TRUE(run().empty());
  EXPECT_EQ(run(true).size(), 5U) << "two artifacts, two manifests, one blob";
  EXPECT_EQ(stored_contents(), 0);
}

TEST_F(Collect, AReferrerLivesAsLongAsItsSubject) {
  bench_.options.grace = std::chrono::seconds{0};
  bench_.put_blob("p/a", "{}");
  const std::string subject = image_json(config_part("{}"), {});
  const std::string referrer = image_json(config_part("{}"), {}, testing::subject_json(subject));
  const model::Digest digest = bench_.put_manifest("p/a", "v1", subject);
  bench_.put_manifest("p/a", "", referrer);
  pass_lease();
  EXPECT_TRUE(run(true).empty());
  remove_manifest("p/a", digest);
  EXPECT_EQ(run().size(), 3U) << "two manifests and the config";
}

TEST_F(Collect, AProjectCanKeepReferrers) {
  bench_.options.grace = std::chrono::seconds{0};
  bench_.execute(
      "INSERT INTO project_metadata (project_id, name, value) VALUES (?, "
      "'keep_referrers', 'true')",
      {project_});
  bench_.put_blob("p/a", "{}");
  const std::string subject = image_json(config_part("{}"), {});
  const model::Digest digest = bench_.put_manifest("p/a", "v1", subject);
  bench_.put_manifest("p/a", "", image_json(config_part("{}"), {}, testing::subject_json(subject)));
  pass_lease();
  run(true);
  remove_manifest("p/a", digest);
  EXPECT_EQ(run().size(), 1U) << "the manifest of the subject alone";
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM artifact WHERE listed = 1"), 1);
  EXPECT_EQ(run(true).size(), 3U) << "an ordinary untagged artifact";
}

TEST_F(Collect, AReferrerWithoutSubjectIsAnOrdinaryArtifact) {
  bench_.options.grace = std::chrono::seconds{0};
  bench_.put_blob("p/a", "{}");
  bench_.put_manifest("p/a", "",
                      image_json(config_part("{}"), {}, testing::subject_json("never pushed")));
  pass_lease();
  EXPECT_TRUE(run().empty());
  EXPECT_EQ(run(true).size(), 3U);
}

TEST_F(Collect, ContentOfADeletedRepositoryStaysForTheGrace) {
  bench_.put_image("p/a", "v1", "seed");
  const auto principal = bench_.person(bench_.admin);
  ASSERT_TRUE(delete_repository(bench_.database.get(), bench_.options,
                                RegistryBench::remove(principal), repository("p/a"))
                  .has_value());
  run();
  EXPECT_GT(stored_contents(), 0);
  pass_grace();
  run();
  EXPECT_EQ(stored_contents(), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM manifest"), 0);
}

TEST_F(Collect, AFileGoesAfterItsRow) {
  bench_.put_blob("p/a", kFile);
  EXPECT_EQ(bench_.store->list("", 10)->size(), 1U);
  pass_lease();
  run();
  pass_grace();
  EXPECT_EQ(run(), std::set<std::string>{model::Digest::of(kFile).to_string()});
  EXPECT_EQ(stored_contents(), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM deleting"), 0);
}

TEST_F(Collect, WithoutPurgingItCondemnsAndAsksAgain) {
  bench_.put_blob("p/a", "layer");
  pass_lease();
  run();
  pass_grace();
  const auto page =
      review_due(bench_.database.get(), bench_.options, {.count = 100, .purge = false});
  ASSERT_TRUE(page.has_value());
  EXPECT_TRUE(page->removed.empty());
  EXPECT_TRUE(head_blob("p/a", "layer") || stored_contents() == 1);
  bench_.clock.advance(std::chrono::minutes{1});
  EXPECT_EQ(run().size(), 1U);
}

TEST_F(Collect, WhatWasUploadedAgainIsNotRemovedFromTheStore) {
  bench_.options.grace = std::chrono::seconds{0};
  bench_.put_blob("p/a", kFile);
  pass_lease();
  std::set<std::string> removed;
  drain(removed);  // The row is gone, the file is queued.
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM deleting"), 1);
  bench_.put_blob("p/a", kFile);
  EXPECT_TRUE(
      remove_from_store(bench_.database.get(), *bench_.store, bench_.locks, {10, 1}).has_value());
  EXPECT_EQ(stored_contents(), 1);
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM deleting"), 0);
  EXPECT_TRUE(head_blob("p/a", kFile));
}

TEST_F(Collect, ARepositoryThatCameToNothingGoes) {
  bench_.execute(
      "INSERT INTO repository (project_id, name, full_name, description, "
      "artifact_count, pull_count, creation_time, update_time) VALUES (?, 'x', 'p/x', "
      "'', 0, 0, 0, 0)",
      {project_});
  bench_.execute(
      "INSERT INTO review (kind, repository_id, object_id, due_at) SELECT 'repository', "
      "id, id, 0 FROM repository");
  run();
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM repository"), 0);
}

TEST_F(Collect, ARepositoryEmptiedByHandGoes) {
  const std::string index = index_json({});
  const model::Digest digest = bench_.put_manifest("p/index", "v1", index);
  bench_.put_blob("p/blob", "x");
  bench_.execute("DELETE FROM review WHERE kind = 'repository'");  // The first look is long past.
  remove_manifest("p/index", digest);
  const auto principal = bench_.person(bench_.admin);
  ASSERT_TRUE(delete_blob(bench_.database.get(), bench_.options, RegistryBench::remove(principal),
                          repository("p/blob"), model::Digest::of("x"))
                  .has_value());
  run();
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM repository"), 0);
}

TEST_F(Collect, AQuestionThatCannotBeAnsweredWaitsAndTheOthersGoOn) {
  bench_.options.grace = std::chrono::seconds{0};
  bench_.put_blob("p/a", "one");
  bench_.put_blob("p/a", "two");
  pass_lease();
  // Usage that names a blob of a project which does not hold it: its row cannot go.
  bench_.execute("INSERT INTO project_blob (project_id, blob_id) SELECT 999, MIN(id) FROM blob");
  std::set<std::string> removed;
  std::size_t postponed = 0;
  for (int i = 0; i < 20; ++i) {
    const auto page = review_due(bench_.database.get(), bench_.options, {.count = 3});
    ASSERT_TRUE(page.has_value());
    postponed += page->postponed;
    for (const Removed& item : page->removed) {
      removed.insert(item.name);
    }
  }
  EXPECT_EQ(removed, std::set<std::string>{model::Digest::of("two").to_string()});
  EXPECT_EQ(postponed, 1U);
  bench_.execute("DELETE FROM project_blob WHERE project_id = 999");
  bench_.clock.advance(std::chrono::hours{1});
  EXPECT_EQ(run().size(), 1U);
}

/// Beside others a circle is broken by the server, a second later, and somebody begins again.
TEST_F(Collect, NeverWaitsInACircleWithPushes) {
  constexpr int kRounds = 60;
  std::vector<std::string> manifests;
  for (const char* name : {"p/a", "p/b", "p/c"}) {
    for (const char* content : {"one", "two", "three"}) {
      bench_.put_blob(name, content);
    }
    manifests.push_back(image_json(config_part("one"), {layer_part("two"), layer_part("three")}));
    bench_.put_manifest(name, "t", manifests.back());
  }
  const std::uint64_t before = bench_.database->statistics().retries;
  std::atomic<bool> over = false;
  const auto push = [&] {
    for (std::size_t i = 0; !over; ++i) {
      bench_.put_manifest(i % 2 == 0 ? "p/a" : "p/b", "t", manifests.front());
    }
  };
  std::array pushing{std::thread(push), std::thread(push)};
  for (int round = 0; round < kRounds; ++round) {
    bench_.execute(
        "INSERT INTO review (kind, repository_id, object_id, due_at) SELECT 'repository_blob', "
        "repository_id, blob_id, 0 FROM repository_blob ORDER BY blob_id, repository_id");
    bench_.execute(
        "INSERT INTO review (kind, repository_id, object_id, due_at) SELECT 'artifact', "
        "repository_id, id, 0 FROM artifact");
    EXPECT_TRUE(review_due(bench_.database.get(), bench_.options, {}));
  }
  over = true;
  for (std::thread& thread : pushing) {
    thread.join();
  }
  EXPECT_EQ(bench_.database->statistics().retries, before);
}

}  // namespace
}  // namespace roadstead::registry
