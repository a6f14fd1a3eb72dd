#include <gtest/gtest.h>

#include "registry/history.h"
#include "registry/pull.h"
#include "registry/testing/registry_bench.h"
#include "registry/trash.h"

namespace roadstead::registry {
namespace {

using std::chrono::seconds;
using testing::config_part;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::RegistryBench;
using testing::repository;
using testing::subject_json;
using testing::tag;

class UndoTest : public ::testing::Test {
 protected:
  UndoTest() : project(bench.add_project("p")), who(bench.person(bench.admin)) {}

  std::string manifest(const std::string& note, const std::string& extra = {}) {
    bench.put_blob("p/app", "{\"os\":\"linux\"}");
    return image_json(config_part("{\"os\":\"linux\"}"), {},
                      R"(,"annotations":{"note":")" + note + "\"}" + extra);
  }
  void remove(const model::Digest& digest) {
    bench.clock.advance(seconds(1));
    const auto removed = delete_manifest(bench.database.get(), bench.options,
                                         RegistryBench::remove(who), repo, digest);
    ASSERT_TRUE(removed) << describe(removed.error());
  }
  void remove_tag(const std::string& name) {
    bench.clock.advance(seconds(1));
    ASSERT_TRUE(delete_tag(bench.database.get(), bench.options, RegistryBench::remove(who), repo,
                           tag(name)));
  }
  void remove_repository() {
    ASSERT_TRUE(
        delete_repository(bench.database.get(), bench.options, RegistryBench::remove(who), repo));
  }
  Caller undo() const {
    return {who, auth::Permission::project(auth::Resource::kArtifact, auth::Action::kDelete)};
  }
  Result<RestoredArtifact> restore(const model::Digest& digest, bool move_tags = false) {
    return restore_artifact(bench.database.get(), bench.options, undo(), repo, digest, {move_tags});
  }
  Result<RestoredArtifact> restore_tag_of(const std::string& name, const TagChoice& choice = {}) {
    return restore_tag(bench.database.get(), bench.options, undo(), repo, tag(name), choice);
  }
  std::string named(const std::string& name) {
    const auto found = bench.database->read([&](db::ReadSession& session) {
      return find_manifest(session, RegistryBench::pull(who), repo, tag(name), Probe{});
    });
    return found ? found->digest : "";
  }
  bool present(const model::Digest& digest) {
    return bench.number("SELECT COUNT(*) FROM artifact WHERE digest = ?", {digest.to_string()}) > 0;
  }
  auth::Page<TrashedArtifact> trash(std::string_view of = {}) {
    return bench.database
        ->read([&](db::ReadSession& session) { return list_trash(session, project, of, {}); })
        .value();
  }
  auth::Page<TagEvent> history(const std::string& name) {
    return bench.database
        ->read([&](db::ReadSession& session) {
          return list_tag_history(session, bench.repository_id("p/app"), name, {});
        })
        .value();
  }
  std::optional<TagAt> at(const std::string& name, Time time) {
    return bench.database
        ->read([&](db::ReadSession& session) {
          return tag_at(session, bench.repository_id("p/app"), name, time);
        })
        .value();
  }

  RegistryBench bench;
  ProjectId project;
  auth::Principal who;
  model::RepositoryName repo = repository("p/app");
};

TEST_F(UndoTest, ARestoredArtifactIsAsItWas) {
  bench.put_image("p/app", "other", "other");
  const std::int64_t empty = bench.used(project);
  const auto digest = bench.put_image("p/app", "v1", "seed");
  const std::int64_t before = bench.used(project);
  const std::int64_t listed =
      bench.number("SELECT SUM(entries) FROM list_bucket WHERE list = ?", {"artifact"});
  const auto columns = [&] {
    return bench.database
        ->read([&](db::ReadSession& session) {
          return session.first(
              "SELECT media_type, artifact_type, type, annotations, extra_attributes, size, listed "
              "FROM artifact WHERE digest = ?",
              {digest.to_string()}, [](const db::Row& row) {
                std::string all;
                for (int i = 0; i < 5; ++i) {
                  all += std::string(row.text(i)) + "|";
                }
                return all + std::to_string(row.integer(5)) + "|" + std::to_string(row.integer(6));
              });
        })
        .value()
        .value_or("");
  };
  const std::string was = columns();
  remove(digest);
  EXPECT_EQ(bench.used(project), empty);
  ASSERT_EQ(trash().items.size(), 1U);
  EXPECT_EQ(trash().items.front().tags, std::vector<std::string>{"v1"});
  EXPECT_EQ(trash().items.front().operator_name, who.name);
  const auto restored = restore(digest);
  ASSERT_TRUE(restored) << describe(restored.error());
  EXPECT_EQ(restored->tags, std::vector<std::string>{"v1"});
  EXPECT_EQ(named("v1"), digest.to_string());
  EXPECT_EQ(columns(), was);
  EXPECT_EQ(bench.used(project), before);
  EXPECT_EQ(bench.number("SELECT artifact_count FROM repository"), 2);
  EXPECT_EQ(bench.number("SELECT SUM(entries) FROM list_bucket WHERE list = ?", {"artifact"}),
            listed);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_blob"), 4);
  EXPECT_EQ(trash().total, 0);
  EXPECT_EQ(restore(digest).error().code, Code::kConflict);
}

TEST_F(UndoTest, CondemnedContentIsRevived) {
  const auto digest = bench.put_image("p/app", "v1", "seed");
  remove(digest);
  bench.execute("UPDATE repository_blob SET condemned_at = ?", {bench.clock.now()});
  ASSERT_TRUE(restore(digest));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob WHERE condemned_at IS NOT NULL"), 0);
}

TEST_F(UndoTest, WhatWasCollectedIsRefusedAndNothingChanges) {
  const auto digest = bench.put_image("p/app", "v1", "seed");
  remove(digest);
  bench.execute("DELETE FROM repository_blob");
  bench.execute("DELETE FROM project_blob");
  bench.execute("DELETE FROM blob_content");
  bench.execute("DELETE FROM blob WHERE id = (SELECT MIN(id) FROM blob)");
  const auto refused = restore(digest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob"), 0);
  EXPECT_EQ(trash().total, 1);
  bench.execute("DELETE FROM artifact_trash");
  EXPECT_EQ(restore(digest).error().code, Code::kNotFound);
}

TEST_F(UndoTest, TagsThatNameSomethingElseStayUnlessAskedFor) {
  const auto old = bench.put_image("p/app", "latest", "old");
  remove(old);
  const auto fresh = bench.put_image("p/app", "latest", "new");
  const auto restored = restore(old);
  ASSERT_TRUE(restored);
  EXPECT_TRUE(restored->tags.empty());
  EXPECT_EQ(restored->kept_tags, std::vector<std::string>{"latest"});
  EXPECT_EQ(named("latest"), fresh.to_string());
  remove(old);
  // The second deletion remembers no tag, as there was none any more.
  ASSERT_TRUE(restore(old, true));
  EXPECT_EQ(named("latest"), fresh.to_string());
  remove_tag("latest");
  bench.put_image("p/app", "latest", "old");
  remove(old);
  bench.put_image("p/app", "latest", "new");
  const auto moved = restore(old, true);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->tags, std::vector<std::string>{"latest"});
  EXPECT_EQ(named("latest"), old.to_string());
}

TEST_F(UndoTest, ReferrersThatWentAlongComeBackAndOthersDoNot) {
  const std::string subject = manifest("subject");
  const auto digest = bench.put_manifest("p/app", "v1", subject);
  const std::string signature = manifest("signature", subject_json(subject));
  const auto along = bench.put_manifest("p/app", "", signature);
  const auto nested = bench.put_manifest("p/app", "", manifest("nested", subject_json(signature)));
  const auto apart = bench.put_manifest("p/app", "", manifest("apart", subject_json(subject)));
  remove(apart);
  remove(digest);
  EXPECT_FALSE(present(along));
  const auto restored = restore(digest);
  ASSERT_TRUE(restored);
  EXPECT_TRUE(present(digest));
  EXPECT_TRUE(present(along));
  EXPECT_TRUE(present(nested));
  EXPECT_FALSE(present(apart));  // Somebody wanted it gone.
  EXPECT_EQ(restored->along.size(), 2U);
  EXPECT_EQ(bench.number("SELECT listed FROM artifact WHERE digest = ?", {along.to_string()}), 0);
}

TEST_F(UndoTest, AnIndexComesBackWithItsChildren) {
  const std::string first = manifest("first");
  const auto child = bench.put_manifest("p/app", "", first);
  const std::string inner = index_json({manifest_part(first)});
  const auto middle = bench.put_manifest("p/app", "", inner);
  const auto outer = bench.put_manifest("p/app", "multi", index_json({manifest_part(inner)}));
  bench.clock.advance(bench.options.lease() + seconds(1));
  remove(outer);
  EXPECT_FALSE(present(child));
  const auto restored = restore(outer);
  ASSERT_TRUE(restored) << describe(restored.error());
  EXPECT_TRUE(present(middle));
  EXPECT_TRUE(present(child));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_child"), 2);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact WHERE listed = 1"), 1);
}

TEST_F(UndoTest, AnArtifactOfADeletedRepositoryBringsItBack) {
  const std::string subject = manifest("subject");
  const auto digest = bench.put_manifest("p/app", "v1", subject);
  const auto signature =
      bench.put_manifest("p/app", "", manifest("signature", subject_json(subject)));
  const std::int64_t before = bench.used(project);
  remove_repository();
  EXPECT_EQ(bench.used(project), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob"), 0);
  EXPECT_EQ(trash("p/app").total, 2);
  const auto restored = restore(digest);
  ASSERT_TRUE(restored) << describe(restored.error());
  EXPECT_EQ(named("v1"), digest.to_string());
  EXPECT_TRUE(present(signature));
  EXPECT_EQ(bench.used(project), before);
  EXPECT_EQ(bench.number("SELECT listed FROM repository"), 1);
}

TEST_F(UndoTest, TheTrashOfAProjectThatWasThereBeforeIsNobodys) {
  const auto digest = bench.put_image("p/app", "v1", "secret of others");
  remove(digest);
  // The project goes and somebody else makes one of the same name.
  bench.execute("UPDATE artifact_trash SET project_id = project_id + 1000");
  EXPECT_EQ(trash().total, 0);
  EXPECT_EQ(restore(digest).error().code, Code::kNotFound);
}

TEST_F(UndoTest, ForeignLayersAreNotTakenFromOtherProjects) {
  bench.add_project("q");
  bench.put_blob("q/app", "another's secret");
  bench.put_blob("p/app", "{}");
  testing::Part foreign = layer_part("another's secret");
  foreign.media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar";
  const auto digest = bench.put_manifest("p/app", "v1", image_json(config_part("{}"), {foreign}));
  remove_repository();
  ASSERT_TRUE(restore(digest));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob WHERE project_id = ?", {project}),
            1);
}

TEST_F(UndoTest, LimitsCountAsForAPush) {
  const auto digest = bench.put_image("p/app", "v1", "seed");
  remove(digest);
  bench.set_quota(project, 10);
  const auto refused = restore(digest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_EQ(refused.error().subject, Subject::kQuota);
  EXPECT_FALSE(present(digest));
}

TEST_F(UndoTest, ThePermissionIsAsked) {
  const auto digest = bench.put_image("p/app", "v1", "seed");
  remove(digest);
  const UserId developer = bench.add_user("dev");
  bench.add_member(project, developer, auth::Role::kDeveloper);
  who = bench.person(developer);
  EXPECT_EQ(restore(digest).error().code, Code::kDenied);
  EXPECT_EQ(restore_tag_of("v1").error().code, Code::kDenied);
}

TEST_F(UndoTest, ADeletedTagComesBack) {
  const auto digest = bench.put_image("p/app", "v1", "seed");
  EXPECT_EQ(restore_tag_of("v1").error().code, Code::kNotFound);
  remove_tag("v1");
  ASSERT_TRUE(restore_tag_of("v1"));
  EXPECT_EQ(named("v1"), digest.to_string());
  // With its artifact, when that went too.
  remove(digest);
  ASSERT_TRUE(restore_tag_of("v1"));
  EXPECT_EQ(named("v1"), digest.to_string());
  EXPECT_EQ(history("v1").items.front().operation, "create");
}

TEST_F(UndoTest, ATagGoesBackToWhatItNamedBefore) {
  const auto old = bench.put_image("p/app", "latest", "old");
  const auto fresh = bench.put_image("p/app", "latest", "new");
  const auto unknown = bench.put_image("p/app", "other", "other");
  EXPECT_EQ(restore_tag_of("latest", {unknown, true}).error().code, Code::kNotFound);
  EXPECT_EQ(restore_tag_of("latest", {old, false}).error().code, Code::kConflict);
  EXPECT_EQ(named("latest"), fresh.to_string());
  ASSERT_TRUE(restore_tag_of("latest", {old, true}));
  EXPECT_EQ(named("latest"), old.to_string());
}

TEST_F(UndoTest, TheHistoryTellsWhatATagNamedWhen) {
  const Time before = bench.clock.now();
  bench.clock.advance(seconds(10));
  const auto old = bench.put_image("p/app", "latest", "old");
  bench.clock.advance(seconds(10));
  const auto fresh = bench.put_image("p/app", "latest", "new");
  bench.clock.advance(seconds(9));
  remove_tag("latest");
  EXPECT_EQ(history("latest").total, 3);
  EXPECT_EQ(history("latest").items.front().operation, "delete");
  EXPECT_FALSE(at("latest", before));
  const auto first = at("latest", before + seconds(15));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->since.digest, old.to_string());
  EXPECT_EQ(first->until, before + seconds(20));
  EXPECT_TRUE(first->present);
  EXPECT_EQ(at("latest", before + seconds(20))->since.digest, fresh.to_string());
  EXPECT_FALSE(at("latest", before + seconds(30)));
}

TEST_F(UndoTest, HistoryIsBoundedByRowsAndAge) {
  for (int i = 0; i < 6; ++i) {
    bench.put_image("p/app", "latest", std::to_string(i % 2));
    bench.clock.advance(seconds(1));
  }
  bench.put_image("p/app", "still", "there");
  bench.put_image("p/app", "gone", "there");
  remove_tag("gone");
  HistoryPolicy policy{4, seconds(1000)};
  const auto trim_all = [&] {
    std::int64_t after = 0;
    do {
      after = trim_tag_history(bench.database.get(), policy, after, 2).value();
    } while (after != 0);
  };
  trim_all();
  EXPECT_EQ(history("latest").total, 4);
  EXPECT_EQ(history("gone").total, 2);
  bench.clock.advance(seconds(1001));
  trim_all();
  EXPECT_EQ(history("latest").total, 1);  // What an existing tag came from stays.
  EXPECT_EQ(history("still").total, 1);
  EXPECT_EQ(history("gone").total, 0);
  remove_repository();
  trim_all();
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag_history"), 0);
}

}  // namespace
}  // namespace roadstead::registry
