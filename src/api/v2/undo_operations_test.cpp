#include <gtest/gtest.h>

#include "api/v2/testing/rest_backend.h"
#include "json/json.h"
#include "registry/push.h"
#include "registry/remove.h"
#include "storage/filesystem.h"

namespace roadstead::api {
namespace {

using testing::Answer;

const std::string kRepository = "/projects/library/repositories/group%252Fapp";

class Undo : public ::testing::Test {
 protected:
  Undo() : store_(storage::make_memory_store()) {
    for (const auto& [name, role] :
         {std::pair("guest", 3), std::pair("dev", 2), std::pair("keeper", 4)}) {
      rest_.below.add_user(name);
      EXPECT_EQ(rest_
                    .post("/projects/library/members",
                          R"({"role_id":)" + std::to_string(role) +
                              R"(,"member_user":{"username":")" + name + "\"}}",
                          "admin")
                    .status,
                201);
    }
  }

  /// An index of nothing needs no content; its note makes it different.
  std::string push(const std::string& tag, const std::string& note) {
    const std::string bytes =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)"
        R"("manifests":[],"annotations":{"note":")" +
        note + "\"}}";
    auth::Principal admin;
    admin.kind = auth::Principal::Kind::kUser;
    admin.user = UserId{1};
    admin.name = "admin";
    const auto pushed = registry::put_manifest(
        *rest_.below.database, *store_, rest_.registry_options,
        {admin, auth::Permission::project(auth::Resource::kRepository, auth::Action::kPush)},
        {model::RepositoryName::parse("library/group/app").value(),
         model::Tag::parse(tag).value(),
         "",
         bytes,
         {}});
    EXPECT_TRUE(pushed) << describe(pushed.error());
    rest_.below.clock.advance(std::chrono::seconds(10));
    return pushed->digest;
  }
  Answer remove(const std::string& digest) {
    Answer answer = rest_.remove(kRepository + "/artifacts/" + digest, "admin");
    rest_.below.clock.advance(std::chrono::seconds(10));
    return answer;
  }

  testing::RestBackend rest_;
  std::unique_ptr<storage::BlobStore> store_;
};

TEST_F(Undo, HistoryIsListedNewestFirstInPages) {
  const std::string old = push("latest", "old");
  const std::string fresh = push("latest", "new");
  const Answer answer = rest_.get(kRepository + "/tags/latest/history?page_size=1", "guest");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("X-Total-Count"), "2");
  const auto document = json::Document::parse(answer.body).value();
  ASSERT_EQ(document.root().size(), 1U);
  EXPECT_EQ(document.root().at(0)["digest"].as_string(), fresh);
  EXPECT_EQ(document.root().at(0)["operation"].as_string(), "move");
  EXPECT_EQ(document.root().at(0)["operator"].as_string(), "admin");
  EXPECT_EQ(rest_.get(kRepository + "/tags/never/history", "guest").body, "[]");
}

TEST_F(Undo, ATagIsToldAsOfATime) {
  const std::string before = format_rfc3339(rest_.below.clock.now() - std::chrono::seconds(1));
  const std::string old = push("latest", "old");
  const std::string then = format_rfc3339(rest_.below.clock.now() - std::chrono::seconds(1));
  const std::string fresh = push("latest", "new");
  const auto at = [&](const std::string& time) {
    return rest_.get(kRepository + "/tags/latest" + (time.empty() ? "" : "?at=" + time), "guest");
  };
  EXPECT_EQ(at(before).status, 404);
  const auto first = json::Document::parse(at(then).body).value();
  EXPECT_EQ(first.root()["digest"].as_string(), old);
  EXPECT_TRUE(first.root()["until"].present());
  EXPECT_EQ(first.root()["present"].as_bool(), true);
  const auto now = json::Document::parse(at("").body).value();
  EXPECT_EQ(now.root()["digest"].as_string(), fresh);
  EXPECT_FALSE(now.root()["until"].present());
  EXPECT_EQ(at("yesterday").status, 422);
}

TEST_F(Undo, DeletedArtifactsAreListedAndRestored) {
  const std::string digest = push("v1", "one");
  push("v2", "two");
  ASSERT_EQ(remove(digest).status, 200);
  const Answer listed = rest_.get(kRepository + "/trash", "keeper");
  ASSERT_EQ(listed.status, 200);
  const auto document = json::Document::parse(listed.body).value();
  ASSERT_EQ(document.root().size(), 1U);
  EXPECT_EQ(document.root().at(0)["digest"].as_string(), digest);
  EXPECT_EQ(document.root().at(0)["tags"].at(0).as_string(), "v1");
  EXPECT_EQ(rest_.get("/projects/library/trash", "keeper").body, listed.body);
  const std::string path = kRepository + "/trash/" + digest + "/restore";
  const Answer restored = rest_.post(path, "", "keeper");
  ASSERT_EQ(restored.status, 200) << restored.body;
  EXPECT_EQ(json::Document::parse(restored.body).value().root()["tags"].at(0).as_string(), "v1");
  EXPECT_EQ(rest_.get(kRepository + "/artifacts/v1", "guest").status, 200);
  EXPECT_EQ(rest_.post(path, "", "keeper").status, 409);
}

TEST_F(Undo, ADeletedRepositoryComesBackWithItsArtifact) {
  const std::string digest = push("v1", "one");
  ASSERT_EQ(rest_.remove(kRepository, "admin").status, 200);
  EXPECT_EQ(rest_.get(kRepository, "guest").status, 404);
  EXPECT_EQ(rest_.post(kRepository + "/trash/" + digest + "/restore", "", "keeper").status, 200);
  EXPECT_EQ(rest_.get(kRepository, "guest").status, 200);
}

TEST_F(Undo, OnlyWhoMayDeleteMayLookAndUndo) {
  const std::string digest = push("v1", "one");
  ASSERT_EQ(remove(digest).status, 200);
  const std::string path = kRepository + "/trash/" + digest + "/restore";
  for (const std::string as : {"guest", "dev"}) {
    EXPECT_EQ(rest_.get(kRepository + "/trash", as).status, 403);
    EXPECT_EQ(rest_.get("/projects/library/trash", as).status, 403);
    EXPECT_EQ(rest_.post(path, "", as).status, 403);
    EXPECT_EQ(rest_.post(kRepository + "/tags/v1/restore", "", as).status, 403);
  }
  EXPECT_EQ(rest_.post(path, "").status, 401);
}

TEST_F(Undo, TagsGoBackAndErrorsSayWhy) {
  const std::string old = push("latest", "old");
  const std::string fresh = push("latest", "new");
  const std::string path = kRepository + "/tags/latest/restore";
  EXPECT_EQ(rest_.post(path, "", "keeper").status, 404);
  EXPECT_EQ(rest_.post(path + "?digest=" + old, "", "keeper").status, 409);
  EXPECT_EQ(rest_.post(path + "?digest=sha256:12", "", "keeper").status, 400);
  EXPECT_EQ(rest_.post(path + "?digest=" + old + "&move=true", "", "keeper").status, 200);
  EXPECT_EQ(json::Document::parse(rest_.get(kRepository + "/tags/latest", "guest").body)
                .value()
                .root()["digest"]
                .as_string(),
            old);
  const std::string unknown = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(rest_.post(kRepository + "/trash/" + unknown + "/restore", "", "keeper").status, 404);
  EXPECT_EQ(rest_.post(kRepository + "/trash/rubbish/restore", "", "keeper").status, 400);
}

}  // namespace
}  // namespace roadstead::api
