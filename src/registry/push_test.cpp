#include "registry/push.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "json/json.h"
#include "model/manifest.h"
#include "registry/pull.h"
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
using testing::subject_json;

constexpr std::string_view kConfig = R"({"architecture":"amd64","os":"linux","author":"me"})";

class PushTest : public ::testing::Test {
 protected:
  PushTest() : project(bench.add_project("p")), who(bench.person(bench.admin)) {}

  Result<FoundManifest> find(const std::string& name, const std::string& reference) {
    const auto parsed = model::parse_reference(reference).value();
    return bench.database->read([&](db::ReadSession& session) {
      return find_manifest(session, RegistryBench::pull(who), repository(name), parsed, {});
    });
  }
  std::string simple(const std::string& note = {}) {
    bench.put_blob("p/app", kConfig);
    bench.put_blob("p/app", "layer");
    const std::string extra =
        note.empty() ? std::string() : R"(,"annotations":{"note":")" + note + "\"}";
    return image_json(config_part(kConfig), {layer_part("layer")}, extra);
  }

  RegistryBench bench;
  ProjectId project;
  auth::Principal who;
};

TEST_F(PushTest, StoresWhatCame) {
  const std::string manifest = simple();
  const auto pushed = bench.try_manifest("p/app", "v1", manifest, {"v2", "v1", "latest"});
  ASSERT_TRUE(pushed) << describe(pushed.error());
  EXPECT_TRUE(pushed->created);
  EXPECT_EQ(pushed->tags, (std::vector<std::string>{"v1", "v2", "latest"}));
  for (const std::string& reference : std::vector<std::string>{"v1", "latest", pushed->digest}) {
    const auto found = find("p/app", reference);
    ASSERT_TRUE(found) << describe(found.error());
    EXPECT_EQ(*found->bytes, manifest);
    EXPECT_EQ(found->media_type, model::media_type::kOciManifest);
  }
  EXPECT_EQ(bench.number("SELECT artifact_count FROM repository"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_blob"), 2);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag_history WHERE operation = 'create'"), 3);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM event_outbox WHERE type = 'PUSH_ARTIFACT'"), 1);
  const auto size = static_cast<std::int64_t>(manifest.size() + kConfig.size() + 5);
  EXPECT_EQ(bench.used(project), size);
  EXPECT_EQ(bench.number("SELECT size FROM artifact"), size);
}

TEST_F(PushTest, PushingTheSameAgainChangesNothingButTheLease) {
  const std::string manifest = simple();
  bench.put_manifest("p/app", "v1", manifest);
  const std::int64_t used = bench.used(project);
  const std::int64_t lease = bench.number("SELECT leased_until FROM artifact");
  bench.clock.advance(std::chrono::hours(1));
  const auto again = bench.try_manifest("p/app", "v1", manifest);
  EXPECT_FALSE(again.value().created);
  EXPECT_EQ(bench.used(project), used);
  EXPECT_EQ(bench.number("SELECT artifact_count FROM repository"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag_history"), 1);
  EXPECT_GT(bench.number("SELECT leased_until FROM artifact"), lease);
  EXPECT_EQ(bench.number("SELECT MAX(due_at) FROM review WHERE kind = 'artifact'"),
            bench.number("SELECT leased_until FROM artifact"));
}

TEST_F(PushTest, MissingContentIsNamedAndNothingIsStored) {
  bench.put_blob("p/app", kConfig);
  bench.put_blob("p/other", "layer");  // In the project, but not in this repository.
  const auto pushed = bench.try_manifest(
      "p/app", "v1", image_json(config_part(kConfig), {layer_part("layer"), layer_part("none")}));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Code::kInvalid);
  EXPECT_EQ(pushed.error().subject, Subject::kBlob);
  EXPECT_EQ(pushed.error().detail, layer_part("layer").digest + "," + layer_part("none").digest);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM manifest"), 0);
  EXPECT_EQ(find("p/app", "v1").error().subject, Subject::kRepository);
}

TEST_F(PushTest, TheDigestInThePathMustMatch) {
  const std::string manifest = simple();
  const auto other = model::Digest::of("other");
  const auto pushed =
      put_manifest(bench.database.get(), *bench.store, bench.options, RegistryBench::push(who),
                   {repository("p/app"), model::Reference(other), {}, manifest, {}});
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Code::kDigestMismatch);
  const auto wide = model::Digest::of(manifest, model::Algorithm::kSha512);
  const auto stored =
      put_manifest(bench.database.get(), *bench.store, bench.options, RegistryBench::push(who),
                   {repository("p/app"), model::Reference(wide), {}, manifest, {}});
  ASSERT_TRUE(stored) << describe(stored.error());
  EXPECT_EQ(stored->digest, wide.to_string());
  EXPECT_TRUE(find("p/app", wide.to_string()));
}

TEST_F(PushTest, AMovedTagIsRememberedAndItsFormerArtifactReviewed) {
  bench.put_manifest("p/app", "v1", simple("one"));
  const std::int64_t first = bench.number("SELECT id FROM artifact");
  bench.clock.advance(std::chrono::minutes(1));
  const auto second = bench.put_manifest("p/app", "v1", simple("two"));
  EXPECT_EQ(find("p/app", "v1")->digest, second.to_string());
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag_history WHERE operation = 'move'"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM review WHERE kind = 'artifact' AND object_id = ? "
                         "AND due_at = ?",
                         {first, bench.clock.now()}),
            1);
}

TEST_F(PushTest, AnIndexNeedsItsChildren) {
  const std::string child = simple();
  const std::string index = index_json({manifest_part(child)});
  const auto early = bench.try_manifest("p/app", "multi", index);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().detail, manifest_part(child).digest);
  bench.put_manifest("p/app", "", child);
  const auto pushed = bench.try_manifest("p/app", "multi", index);
  ASSERT_TRUE(pushed) << describe(pushed.error());
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_child"), 1);
  EXPECT_EQ(bench.number("SELECT size FROM artifact WHERE digest = ?", {pushed->digest}),
            static_cast<std::int64_t>(index.size() + child.size() + kConfig.size() + 5));
}

TEST_F(PushTest, ASparseIndexByConfiguration) {
  bench.options.sparse_indexes = true;
  const std::string index = index_json({manifest_part("nowhere")});
  EXPECT_TRUE(bench.try_manifest("p/app", "sparse", index));
}

TEST_F(PushTest, AnIndexOfPlainBlobsIsABuildCache) {
  bench.put_blob("p/app", "layer");
  const std::string index = index_json({layer_part("layer")});
  ASSERT_TRUE(bench.try_manifest("p/app", "cache", index));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact_blob"), 1);
  EXPECT_FALSE(bench.try_manifest("p/app", "cache", index_json({layer_part("absent")})));
}

TEST_F(PushTest, CondemnedContentIsRevived) {
  const std::string manifest = simple();
  bench.execute("UPDATE repository_blob SET condemned_at = ?", {bench.clock.now()});
  // The collector also takes what it condemns out of the project's count.
  bench.execute("DELETE FROM project_blob");
  bench.execute("DELETE FROM quota_delta");
  bench.put_manifest("p/app", "v1", manifest);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob WHERE condemned_at IS NOT NULL"), 0);
  EXPECT_EQ(bench.used(project), static_cast<std::int64_t>(manifest.size() + kConfig.size() + 5));
  bench.execute("UPDATE artifact SET condemned_at = ?", {bench.clock.now()});
  bench.put_manifest("p/app", "", manifest);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact WHERE condemned_at IS NOT NULL"), 0);
  bench.execute("UPDATE artifact SET condemned_at = ?", {bench.clock.now()});
  bench.put_manifest("p/app", "multi", index_json({manifest_part(manifest)}));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM artifact WHERE condemned_at IS NOT NULL"), 0);
}

TEST_F(PushTest, HeadTellsOfACondemnedManifestForHalfTheGracePeriod) {
  const auto digest = bench.put_manifest("p/app", "", simple());
  bench.execute("UPDATE artifact SET condemned_at = ?", {bench.clock.now()});
  const auto present = [&] {
    return bench.database
        ->read([&](db::ReadSession& session) {
          return find_manifest(session, RegistryBench::pull(who), repository("p/app"), digest,
                               {true, bench.options.grace});
        })
        .has_value();
  };
  EXPECT_TRUE(present());
  bench.clock.advance(bench.options.grace / 2);
  EXPECT_FALSE(present());
}

TEST_F(PushTest, TheManifestCountsOncePerProject) {
  const std::string manifest = simple();
  bench.put_manifest("p/app", "v1", manifest);
  const std::int64_t once = bench.used(project);
  for (const std::string_view content : {kConfig, std::string_view("layer")}) {
    bench.put_blob("p/copy", content);
  }
  bench.put_manifest("p/copy", "v1", manifest);
  EXPECT_EQ(bench.used(project), once);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM manifest"), 1);
}

TEST_F(PushTest, AFullProjectRefusesTheManifestAndKeepsNothingOfIt) {
  const std::string manifest = simple();
  bench.set_quota(project, bench.used(project) + static_cast<std::int64_t>(manifest.size()) - 1);
  const auto pushed = bench.try_manifest("p/app", "v1", manifest);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().subject, Subject::kQuota);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM manifest"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 0);
}

TEST_F(PushTest, SubjectMayComeLater) {
  const std::string subject = simple("subject");
  const std::string referrer =
      image_json(config_part(kConfig), {layer_part("layer")}, subject_json(subject));
  bench.put_blob("p/app", kConfig);
  const auto pushed = bench.try_manifest("p/app", "", referrer);
  ASSERT_TRUE(pushed) << describe(pushed.error());
  EXPECT_EQ(pushed->subject, manifest_part(subject).digest);
}

TEST_F(PushTest, AttributesComeFromTheConfig) {
  bench.put_manifest("p/app", "v1", simple());
  const auto text =
      bench.database
          ->read([&](db::ReadSession& session) {
            return session.first(
                "SELECT type, extra_attributes FROM artifact", {}, [](const db::Row& row) {
                  return std::pair(std::string(row.text(0)), std::string(row.text(1)));
                });
          })
          .value();
  EXPECT_EQ(text->first, "IMAGE");
  const auto document = json::Document::parse(text->second).value();
  EXPECT_EQ(document.root()["architecture"].as_string(), "amd64");
  EXPECT_EQ(document.root()["author"].as_string(), "me");
}

TEST_F(PushTest, KindsFollowTheConfigsMediaType) {
  const auto kind_of = [&](const std::string& type) {
    bench.put_blob("p/kinds", "{}");
    testing::Part config = config_part("{}");
    config.media_type = type;
    const auto digest = bench.put_manifest("p/kinds", "", image_json(config, {}));
    return bench.database
        ->read([&](db::ReadSession& session) {
          return session.first("SELECT type FROM artifact WHERE digest = ?", {digest.to_string()},
                               [](const db::Row& row) { return std::string(row.text(0)); });
        })
        .value()
        .value_or("");
  };
  EXPECT_EQ(kind_of("application/vnd.cncf.helm.config.v1+json"), "CHART");
  EXPECT_EQ(kind_of("application/vnd.acme.rocket.config.v1+json"), "ROCKET");
  EXPECT_EQ(kind_of("application/vnd.docker.container.image.v1+json"), "IMAGE");
  EXPECT_EQ(kind_of("application/vnd.wasm.config.v1+json"), "WASM");
  EXPECT_EQ(kind_of("application/vnd.nothing"), "UNKNOWN");
  EXPECT_EQ(kind_of("application/vnd.oci.empty.v1+json"), "UNKNOWN");
}

TEST_F(PushTest, OnlyThoseWhoMay) {
  const auto guest_id = bench.add_user("guest");
  bench.add_member(project, guest_id, auth::Role::kGuest);
  const auto guest = bench.person(guest_id);
  const std::string manifest = simple();
  const auto pushed =
      put_manifest(bench.database.get(), *bench.store, bench.options, RegistryBench::push(guest),
                   {repository("p/app"), model::Reference(testing::tag("v1")), {}, manifest, {}});
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, Code::kDenied);
}

TEST_F(PushTest, PullIsOneLookUpOfAnIndexAtEachStep) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  // The hottest query: whatever the number of tags and repositories, only unique look-ups.
  bench.put_manifest("p/app", "v1", simple());
  const auto plan = bench.database.explain(
      "SELECT p.id, f.bytes FROM project p LEFT JOIN user_account u ON u.id = ? AND u.deleted = 0 "
      "LEFT JOIN project_member m ON m.project_id = p.id AND m.entity_type = 'u' AND m.entity_id = "
      "u.id LEFT JOIN repository r ON r.project_id = p.id AND r.name = ? LEFT JOIN tag t ON "
      "t.repository_id = r.id AND t.name = ? LEFT JOIN artifact a ON a.id = t.artifact_id LEFT "
      "JOIN manifest f ON f.id = a.manifest_id WHERE p.name = ?");
  EXPECT_EQ(plan.find("SCAN"), std::string::npos) << plan;
}

}  // namespace
}  // namespace roadstead::registry
