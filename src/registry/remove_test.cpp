#include "registry/remove.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "registry/pull.h"
#include "registry/testing/registry_bench.h"
#include "registry/upkeep.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::RegistryBench;
using testing::repository;
using testing::subject_json;
using testing::tag;

class RemoveTest : public ::testing::Test {
 protected:
  RemoveTest() : project(bench.add_project("p")), who(bench.person(bench.admin)) {}

  /// A manifest of one shared config, different by its note.
  std::string manifest(const std::string& note, const std::string& extra = {}) {
    bench.put_blob("p/app", "{}");
    return image_json(config_part("{}"), {}, R"(,"annotations":{"note":")" + note + "\"}" + extra);
  }
  Result<void> remove(const model::Digest& digest) {
    return delete_manifest(bench.database.get(), bench.options, RegistryBench::remove(who), repo,
                           digest);
  }
  bool present(const model::Digest& digest) {
    return bench.number("SELECT COUNT(*) FROM artifact WHERE digest = ?", {digest.to_string()}) > 0;
  }
  void let_leases_lapse() { bench.clock.advance(bench.options.lease() + std::chrono::seconds(1)); }

  RegistryBench bench;
  ProjectId project;
  auth::Principal who;
  model::RepositoryName repo = repository("p/app");
};

TEST_F(RemoveTest, AManifestGoesWithItsTagsAndLeavesTrashAndReviews) {
  const std::string text = manifest("one");
  const auto digest = testing::digest(bench.try_manifest("p/app", "v1", text, {"v2"})->digest);
  const auto other = bench.put_manifest("p/app", "other", manifest("two"));
  ASSERT_TRUE(remove(digest));
  EXPECT_FALSE(present(digest));
  EXPECT_TRUE(present(other));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag_history WHERE operation = 'delete'"), 2);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_trash WHERE digest = ? AND tags = ?",
                         {digest.to_string(), R"(["v1","v2"])"}),
            1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_trash WHERE project_id = ? AND taken_with "
                         "= '' AND extra_attributes <> ''",
                         {project}),
            1);
  EXPECT_EQ(bench.number("SELECT artifact_count FROM repository"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM review WHERE kind = 'manifest'"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM review WHERE kind = 'repository_blob' AND due_at "
                         "<= ?",
                         {bench.clock.now()}),
            1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM event_outbox WHERE type = 'DELETE_ARTIFACT'"), 1);
  EXPECT_EQ(remove(digest).error().code, Code::kNotFound);
}

TEST_F(RemoveTest, UsageFallsAtOnceAndOnlyForWhatNothingElseUses) {
  bench.put_blob("p/app", "shared");
  bench.put_blob("p/app", "only here");
  const std::string both = image_json(config_part("shared"), {layer_part("only here")});
  const std::string one = image_json(config_part("shared"), {});
  const auto digest = bench.put_manifest("p/app", "both", both);
  bench.put_manifest("p/app", "one", one);
  const std::int64_t before = bench.used(project);
  ASSERT_TRUE(remove(digest));
  EXPECT_EQ(before - bench.used(project), static_cast<std::int64_t>(both.size()) + 9);
}

TEST_F(RemoveTest, TheChildOfAnIndexStays) {
  const std::string child = manifest("child");
  const auto child_digest = bench.put_manifest("p/app", "child", child);
  const auto index = bench.put_manifest("p/app", "multi", index_json({manifest_part(child)}));
  const auto refused = remove(child_digest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
  EXPECT_EQ(refused.error().detail, index.to_string());
  ASSERT_TRUE(remove(index));
  EXPECT_TRUE(present(child_digest));  // Tagged.
  EXPECT_TRUE(remove(child_digest));
}

TEST_F(RemoveTest, UntaggedChildrenGoWithTheirLastIndexOnceTheirLeaseLapsed) {
  const std::string first = manifest("first");
  const std::string second = manifest("second");
  const auto one = bench.put_manifest("p/app", "", first);
  const auto two = bench.put_manifest("p/app", "", second);
  const auto both = bench.put_manifest("p/app", "both",
                                       index_json({manifest_part(first), manifest_part(second)}));
  const auto single = bench.put_manifest("p/app", "single", index_json({manifest_part(second)}));
  let_leases_lapse();
  ASSERT_TRUE(remove(both));
  EXPECT_FALSE(present(one));
  EXPECT_TRUE(present(two));                // Has another parent.
  bench.put_manifest("p/app", "", second);  // A new lease.
  ASSERT_TRUE(remove(single));
  EXPECT_TRUE(present(two));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_child"), 0);
}

TEST_F(RemoveTest, ReferrersGoWithTheirSubject) {
  const std::string subject = manifest("subject");
  const auto digest = bench.put_manifest("p/app", "v1", subject);
  const std::string signature = manifest("signature", subject_json(subject));
  const auto untagged = bench.put_manifest("p/app", "", signature);
  const auto nested = bench.put_manifest("p/app", "", manifest("nested", subject_json(signature)));
  const auto tagged = bench.put_manifest("p/app", "keep", manifest("kept", subject_json(subject)));
  ASSERT_TRUE(remove(digest));
  EXPECT_FALSE(present(digest));
  EXPECT_FALSE(present(untagged));
  EXPECT_FALSE(present(nested));
  EXPECT_TRUE(present(tagged));
  EXPECT_EQ(bench.number("SELECT artifact_count FROM repository"), 1);
}

TEST_F(RemoveTest, ManyReferrersTakeSeveralTransactions) {
  const std::string subject = manifest("subject");
  const auto digest = bench.put_manifest("p/app", "v1", subject);
  constexpr int kReferrers = 1'200;
  const std::string text = manifest("signature", subject_json(subject));
  bench.put_manifest("p/app", "", text);
  // Rows like the first referrer's, made directly to save time.
  for (int i = 0; i < kReferrers; ++i) {
    bench.execute(
        "INSERT INTO artifact (project_id, repository_id, manifest_id, digest, media_type, "
        "artifact_type, type, subject_digest, annotations, extra_attributes, size, leased_until, "
        "push_time) SELECT project_id, repository_id, manifest_id, ?, media_type, artifact_type, "
        "type, subject_digest, '', '{}', 0, 0, 0 FROM artifact WHERE subject_digest IS NOT NULL "
        "ORDER BY id LIMIT 1",
        {"copy" + std::to_string(i)});
  }
  ASSERT_TRUE(remove(digest));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact"), 0);
}

TEST_F(RemoveTest, ATagOnlyUntags) {
  const auto digest = bench.put_manifest("p/app", "v1", manifest("one"));
  ASSERT_TRUE(
      delete_tag(bench.database.get(), bench.options, RegistryBench::remove(who), repo, tag("v1")));
  EXPECT_TRUE(present(digest));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM review WHERE kind = 'artifact' AND due_at <= ?",
                         {bench.clock.now()}),
            1);
  EXPECT_EQ(
      delete_tag(bench.database.get(), bench.options, RegistryBench::remove(who), repo, tag("v1"))
          .error()
          .code,
      Code::kNotFound);
}

TEST_F(RemoveTest, ABlobGoesAtOnceUnlessAManifestNeedsIt) {
  bench.put_blob("p/app", "{}");
  const auto free_blob = bench.put_blob("p/app", "free");
  bench.put_blob("p/other", "free");
  const auto digest = bench.put_manifest("p/app", "v1", manifest("one"));
  const auto drop = [&](const model::Digest& blob) {
    return delete_blob(bench.database.get(), bench.options, RegistryBench::remove(who), repo, blob);
  };
  EXPECT_EQ(drop(model::Digest::of("{}")).error().code, Code::kUnsupported);
  const std::int64_t used = bench.used(project);
  ASSERT_TRUE(drop(free_blob));
  EXPECT_EQ(drop(free_blob).error().code, Code::kNotFound);
  EXPECT_EQ(bench.used(project), used);  // The other repository has a lease on it.
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM review WHERE kind = 'blob'"), 1);
  ASSERT_TRUE(remove(digest));
  EXPECT_TRUE(drop(model::Digest::of("{}")));
  EXPECT_EQ(bench.used(project), 4);
}

TEST_F(RemoveTest, ARepositoryIsGoneWithEverything) {
  const std::string child = manifest("child");
  bench.put_manifest("p/app", "", child);
  bench.put_manifest("p/app", "multi", index_json({manifest_part(child)}));
  bench.put_manifest("p/app", "", manifest("attached", subject_json(child)));
  bench.put_blob("p/app", "loose");
  ASSERT_TRUE(
      delete_repository(bench.database.get(), bench.options, RegistryBench::remove(who), repo));
  for (const std::string_view table : {"repository", "artifact", "artifact_child", "artifact_blob",
                                       "repository_blob", "tag", "project_blob"}) {
    EXPECT_EQ(bench.number("SELECT COUNT(*) FROM " + std::string(table)), 0) << table;
  }
  EXPECT_EQ(bench.used(project), 0);
  EXPECT_EQ(delete_repository(bench.database.get(), bench.options, RegistryBench::remove(who), repo)
                .error()
                .subject,
            Subject::kRepository);
  bench.put_image("p/app", "v1", "again");
}

TEST_F(RemoveTest, AnInterruptedDeletionIsFinished) {
  bench.put_image("p/app", "v1", "seed");
  // What the first transaction of a deletion leaves.
  bench.execute(
      "UPDATE repository SET name = '~1', full_name = '~1', description = 'p/app', "
      "artifact_count = 0");
  bench.put_image("p/app", "v1", "new");
  ASSERT_TRUE(finish_deletions(bench.database.get(), bench.options, 10));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_trash WHERE repository_name = 'p/app'"), 1);
}

TEST_F(RemoveTest, AnEmptyProjectCanBeRemoved) {
  bench.put_blob("p/app", "leased");
  bench.put_blob("p/two", "leased too");
  const auto has = [&] {
    return bench.database
        ->read([&](db::ReadSession& session) { return has_repositories(session, project); })
        .value();
  };
  EXPECT_FALSE(has());
  ASSERT_TRUE(empty_project(bench.database.get(), project));
  EXPECT_TRUE(bench.database->write(
      [&](db::WriteSession& session) { return remove_invisible(session, project); }));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM project_blob"), 0);
  bench.put_image("p/app", "v1", "seed");
  EXPECT_TRUE(has());
}

TEST_F(RemoveTest, FoldingKeepsTheSum) {
  bench.set_quota(project, -1);
  bench.put_image("p/app", "v1", "seed");
  const std::int64_t used = bench.used(project);
  EXPECT_GT(fold_quota(bench.database.get(), 2).value(), 0U);
  EXPECT_EQ(bench.used(project), used);
  while (fold_quota(bench.database.get(), 100).value() > 0) {
  }
  EXPECT_EQ(bench.number("SELECT used FROM quota"), used);
}

}  // namespace
}  // namespace roadstead::registry
