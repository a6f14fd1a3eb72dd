#include <gtest/gtest.h>

#include "api/v2/testing/rest_backend.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

using testing::Answer;

class Projects : public ::testing::Test {
 protected:
  void SetUp() override {
    rest_.below.add_user("owner");
    rest_.below.add_user("guest");
    rest_.below.add_user("stranger");
    ASSERT_EQ(rest_.post("/projects", R"({"project_name":"priv"})", "owner").status, 201);
    ASSERT_EQ(rest_
                  .post("/projects/priv/members",
                        R"({"role_id":3,"member_user":{"username":"guest"}})", "owner")
                  .status,
              201);
  }
  std::vector<std::string> names(const std::string& query, const std::string& as) {
    const Answer answer = rest_.get("/projects" + query, as);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto document = json::Document::parse(answer.body).value();
    std::vector<std::string> found;
    for (std::size_t i = 0; i < document.root().size(); ++i) {
      found.emplace_back(*document.root().at(i)["name"].as_string());
    }
    return found;
  }
  using Names = std::vector<std::string>;
  testing::RestBackend rest_;
};

TEST_F(Projects, AreCreatedWithLocationByIdOrName) {
  const Answer by_id = rest_.post("/projects", R"({"project_name":"a.b-c_d"})", "owner");
  EXPECT_EQ(by_id.status, 201);
  EXPECT_EQ(by_id.header("Location"), "/api/v2.0/projects/3");
  EXPECT_EQ(by_id.body, "");
  const Answer by_name = rest_.send({.method = http::Method::kPost,
                                     .target = "/api/v2.0/projects",
                                     .as = "owner",
                                     .body = R"({"project_name":"named"})",
                                     .headers = {{"X-Resource-Name-In-Location", "true"}}});
  EXPECT_EQ(by_name.header("Location"), "/api/v2.0/projects/named");
  const Answer again = rest_.post("/projects", R"({"project_name":"named"})", "stranger");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.error_message(), "The project named named already exists");
  EXPECT_EQ(rest_.post("/projects", R"({"project_name":"x"})").status, 401);
}

TEST_F(Projects, NamesFollowARule) {
  for (const std::string bad :
       {"A", "a b", "a--b", "a__b", "a..b", "-a", "a-", "a/b", "a@b", "ü"}) {
    const Answer refused = rest_.post("/projects", R"({"project_name":")" + bad + "\"}", "owner");
    EXPECT_EQ(refused.status, 400) << bad;
    EXPECT_EQ(refused.error_message(),
              "project name is not in lower case or contains illegal characters");
  }
  EXPECT_EQ(rest_.post("/projects", "{}", "owner").error_message(),
            "Project name  is illegal in length. (greater than 255 or less than 1)");
  EXPECT_EQ(rest_.post("/projects", R"({"project_name":")" + std::string(256, 'y') + "\"}", "owner")
                .status,
            422);
  EXPECT_EQ(rest_.post("/projects", R"({"project_name":")" + std::string(255, 'y') + "\"}", "owner")
                .status,
            201);
}

TEST_F(Projects, MetadataIsCheckedAtCreation) {
  const auto create = [&](const std::string& more, const std::string& as = "admin") {
    return rest_.post("/projects", R"({"project_name":"m1",)" + more + "}", as);
  };
  EXPECT_EQ(create(R"("metadata":{"public":"maybe"})").error_message(),
            "metadata.public should only be 'true' or 'false', but got: 'maybe'");
  EXPECT_EQ(create(R"("metadata":{"public":true})").status, 422);
  EXPECT_EQ(create(R"("metadata":{"retention_id":"7"})").status, 400);
  EXPECT_EQ(create(R"("storage_limit":-2)").error_message(),
            "bad request: invalid non-positive value for quota limit, value=-2");
  EXPECT_EQ(create(R"("storage_limit":4611686018427387904)").status, 400);
  EXPECT_EQ(create(R"("registry_id":0)").status, 400);
  EXPECT_EQ(create(R"("registry_id":9)").status, 404);
  EXPECT_EQ(create(R"("registry_id":1)", "owner").error_message(),
            "Only system admin can create proxy cache project");
  EXPECT_EQ(rest_.get("/projects/m1", "admin").status, 404) << "what failed created nothing";
  EXPECT_EQ(create(R"("public":true,"metadata":{"severity":"HIGH","nosuch":"x"})").status, 201);
  const Answer made = rest_.get("/projects/m1", "admin");
  EXPECT_NE(made.body.find(R"("metadata":{"public":"true","severity":"high"})"), std::string::npos)
      << made.body;
}

TEST_F(Projects, ShowTheCallersRole) {
  const Answer guest = rest_.get("/projects/priv", "guest");
  EXPECT_NE(guest.body.find(R"("current_user_role_id":3,"current_user_role_ids":[3])"),
            std::string::npos)
      << guest.body;
  const Answer admin = rest_.get("/projects/priv", "admin");
  EXPECT_EQ(admin.body.find("current_user_role_id\":"), std::string::npos);
  EXPECT_NE(admin.body.find(R"("current_user_role_ids":null)"), std::string::npos);
  EXPECT_NE(admin.body.find(R"("owner_name":"owner")"), std::string::npos);
}

TEST_F(Projects, ListShowsPublicAndOwnOnes) {
  EXPECT_EQ(names("", ""), (Names{"library"}));
  EXPECT_EQ(names("", "stranger"), (Names{"library"}));
  EXPECT_EQ(names("", "guest"), (Names{"library", "priv"}));
  EXPECT_EQ(names("", "admin"), (Names{"library", "priv"}));
  EXPECT_EQ(names("?public=false", "guest"), (Names{"priv"}));
  EXPECT_EQ(names("?public=x", "guest"), (Names{"priv"}));
  EXPECT_EQ(names("?public=1", "guest"), (Names{"library"}));
  EXPECT_EQ(names("?name=RI", "guest"), (Names{"priv"}));
  EXPECT_EQ(names("?owner=owner", "guest"), (Names{"priv"}));
  EXPECT_EQ(names("?q=name=~ri", "stranger"), Names{});
  EXPECT_EQ(names("?q=name=priv,public=true", "guest"), Names{});
  EXPECT_EQ(names("?sort=-name&page_size=1", "guest"), (Names{"priv"}));
  EXPECT_EQ(rest_.get("/projects?sort=-name&page_size=1", "guest").header("Link"),
            "</api/v2.0/projects?page=2&page_size=1&sort=-name>; rel=\"next\"");
  EXPECT_EQ(rest_.get("/projects?q=project_id={", "guest").status, 400);
  EXPECT_EQ(rest_.get("/projects?q=project_id=abc", "guest").status, 400);
  const Answer brief = rest_.get("/projects?with_detail=false", "guest");
  EXPECT_EQ(brief.body.find("owner_name"), std::string::npos);
  EXPECT_EQ(brief.body.find("metadata"), std::string::npos);
}

TEST_F(Projects, HeadTellsWhetherANameIsTaken) {
  const auto head = [&](const std::string& query, const std::string& as) {
    return rest_.send(
        {.method = http::Method::kHead, .target = "/api/v2.0/projects" + query, .as = as});
  };
  EXPECT_EQ(head("?project_name=priv", "stranger").status, 200);
  EXPECT_EQ(head("?project_name=nope", "stranger").body.size(), 69U) << "the length GET would have";
  EXPECT_EQ(head("?project_name=nope", "stranger").status, 404);
  EXPECT_EQ(head("?project_name=priv", "").status, 401);
  EXPECT_EQ(head("", "admin").status, 422);
}

TEST_F(Projects, UpdateMergesMetadata) {
  EXPECT_EQ(rest_.put("/projects/priv", R"({"metadata":{"auto_scan":"true"}})", "guest").status,
            403);
  EXPECT_EQ(rest_.put("/projects/priv", R"({"metadata":{"auto_scan":"true"}})", "owner").status,
            200);
  EXPECT_EQ(rest_.put("/projects/priv", R"({"metadata":{"public":"true"}})", "owner").status, 200);
  EXPECT_EQ(rest_.put("/projects/priv", "{}", "owner").status, 200);
  const Answer anybody = rest_.get("/projects/priv");
  EXPECT_EQ(anybody.status, 200) << "public now";
  EXPECT_NE(anybody.body.find(R"("auto_scan":"true","public":"true")"), std::string::npos);
  EXPECT_EQ(rest_.put("/projects/priv", R"({"metadata":{"public":"false"}})", "owner").status, 200);
  EXPECT_EQ(rest_.get("/projects/priv").status, 401);
  EXPECT_EQ(rest_.put("/projects/priv", R"({"metadata":{"retention_id":"5"}})", "owner").status,
            400);
  EXPECT_EQ(rest_.get("/projects/priv/metadatas/auto_scan", "owner").body,
            R"({"auto_scan":"true"})");
  EXPECT_EQ(rest_.get("/projects/priv/metadatas/", "owner").status, 403);
  EXPECT_EQ(rest_.get("/projects/priv/metadatas/", "admin").status, 200);
}

TEST_F(Projects, MetadataAreSetOneByOne) {
  const std::string path = "/projects/priv/metadatas";
  EXPECT_EQ(rest_.put(path + "/public", R"({"public":"TRUE"})", "guest").status, 403);
  EXPECT_EQ(rest_.put(path + "/public", R"({"public":"TRUE","auto_scan":"x"})", "owner").status,
            200);
  EXPECT_EQ(rest_.get(path + "/public", "owner").body, R"({"public":"true"})");
  EXPECT_EQ(rest_.get("/projects/priv").status, 200) << "public now";
  EXPECT_EQ(rest_.remove(path + "/public", "owner").status, 200);
  EXPECT_EQ(rest_.get(path + "/public", "owner").body, "{}");
  EXPECT_EQ(rest_.get("/projects/priv").status, 401);
  EXPECT_EQ(rest_.post(path, R"({"severity":"Negligible"})", "owner").status, 200);
  EXPECT_EQ(rest_.get(path + "/severity", "owner").body, R"({"severity":"none"})");
  const Answer again = rest_.post(path + "/", R"({"severity":"low"})", "owner");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.error_message(), "metadata severity already exists for project 2");
  const auto refused = [&](const std::string& body) {
    return rest_.post(path, body, "owner").error_message();
  };
  EXPECT_EQ(refused(R"({"severity":"bogus"})"), "invalid value: bogus");
  EXPECT_EQ(refused(R"({"auto_scan":"x"})"), "invalid value: x");
  EXPECT_EQ(refused(R"({"nosuch":"x"})"), "invalid key: nosuch");
  EXPECT_EQ(refused(R"({"retention_id":"3"})"), "invalid key: retention_id");
  EXPECT_EQ(refused(R"({"proxy_speed_kb":"x"})"), "invalid value: x");
  EXPECT_EQ(refused(R"({"max_upstream_conn":"0"})"), "invalid value for max_upstream_conn: 0");
  EXPECT_EQ(refused("{}"), "only allow one key/value pair");
  EXPECT_EQ(rest_.post(path, R"({"auto_scan":true})", "owner").status, 422);
  EXPECT_EQ(rest_.put(path + "/public", "{}", "owner").error_message(), "invalid value: ");
}

TEST_F(Projects, SummaryShowsWhatTheRoleSees) {
  const std::string owner = rest_.get("/projects/priv/summary", "owner").body;
  EXPECT_NE(owner.find(R"("project_admin_count":1)"), std::string::npos) << owner;
  EXPECT_NE(owner.find(R"("guest_count":1)"), std::string::npos);
  EXPECT_NE(owner.find(R"("quota":{"hard":{"storage":-1},"used":{"storage":0}})"),
            std::string::npos);
  EXPECT_EQ(rest_.get("/projects/library/summary").body, R"({"repo_count":0})");
  EXPECT_EQ(rest_.get("/projects/priv/summary", "stranger").status, 403);
}

TEST_F(Projects, DeletionRemovesEverythingOfThem) {
  EXPECT_EQ(rest_.remove("/projects/priv", "guest").status, 403);
  EXPECT_EQ(rest_.remove("/projects/priv").status, 401);
  EXPECT_EQ(rest_.get("/projects/priv/_deletable", "owner").body, R"({"deletable":true})");
  EXPECT_EQ(rest_.remove("/projects/priv", "owner").status, 200);
  EXPECT_EQ(rest_.get("/projects/priv", "admin").error_message(), "project priv not found");
  EXPECT_EQ(rest_.remove("/projects/priv", "admin").status, 404);
  EXPECT_EQ(rest_.post("/projects", R"({"project_name":"priv"})", "stranger").status, 201);
  EXPECT_EQ(rest_.get("/projects/priv", "guest").status, 403) << "members went with it";
}

TEST_F(Projects, WithRepositoriesAreNotDeleted) {
  (void)rest_.below.database
      ->write([](db::WriteSession& session) -> Result<std::int64_t> {
        TRY(session.execute(
            "INSERT INTO repository (project_id, name, full_name, description, artifact_count, "
            "pull_count, creation_time, update_time, listed) "
            "VALUES (2, 'app', 'priv/app', '', 1, 0, 0, 0, 1)",
            {}));
        return session.execute(
            "INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries) "
            "VALUES ('repository', 0, '', 0, 0, 1), ('project_repository', 2, '', 0, 0, 1), "
            "('repository_name', 0, '', 0, 0, 1), ('project_repository_name', 2, '', 0, 0, 1)",
            {});
      })
      .value();
  const Answer refused = rest_.remove("/projects/priv", "owner");
  EXPECT_EQ(refused.status, 412);
  EXPECT_EQ(refused.error_code(), "PRECONDITION");
  EXPECT_EQ(rest_.get("/projects/priv/_deletable", "owner").body,
            R"({"message":"the project contains repositories, can not be deleted"})");
  EXPECT_NE(rest_.get("/projects/priv", "owner").body.find(R"("repo_count":1)"), std::string::npos);
  const Answer listed = rest_.get("/projects/priv/repositories", "guest");
  EXPECT_NE(listed.body.find(R"("name":"priv/app")"), std::string::npos) << listed.body;
  EXPECT_EQ(rest_.get("/repositories", "stranger").body, "[]");
  EXPECT_EQ(rest_.get("/projects/priv/repositories/app", "guest").status, 200);
  EXPECT_EQ(rest_.get("/projects/priv/repositories/nope", "guest").error_message(),
            "repository priv/nope not found");
  EXPECT_EQ(rest_.get("/projects/2/repositories/app", "guest").status, 403) << "names only";
  EXPECT_EQ(rest_.get("/projects/priv/repositories/nope/artifacts", "guest").body, "[]");
  EXPECT_EQ(rest_.get("/projects/priv/repositories/app/artifacts/v1", "guest").error_message(),
            "artifact priv/app:v1 not found");
  EXPECT_EQ(rest_.get("/projects/priv/repositories/app/artifacts?q=tags={a b}", "guest").status,
            400);
  EXPECT_EQ(rest_.put("/projects/priv/repositories/app", R"({"description":"d"})", "guest").status,
            403);
  EXPECT_EQ(rest_.put("/projects/priv/repositories/app", R"({"description":"d"})", "owner").status,
            200);
  EXPECT_EQ(rest_.remove("/projects/priv/repositories/app", "guest").status, 403);
  EXPECT_EQ(rest_.remove("/projects/priv/repositories/app", "owner").status, 200);
  EXPECT_EQ(rest_.remove("/projects/priv", "owner").status, 200);
}

TEST_F(Projects, MembersAreAddedListedChangedRemoved) {
  const auto add = [&](const std::string& body) {
    return rest_.post("/projects/priv/members", body, "owner");
  };
  const Answer added = add(R"({"role_id":2,"member_user":{"username":"stranger"}})");
  EXPECT_EQ(added.status, 201);
  const std::string path = added.header("Location").substr(std::string("/api/v2.0").size());
  EXPECT_TRUE(path.starts_with("/projects/priv/members/")) << path;
  EXPECT_EQ(add(R"({"role_id":2,"member_user":{"username":"stranger"}})").error_message(),
            "The project member specified already exist");
  EXPECT_EQ(add(R"({"role_id":2,"member_user":{"username":"nobody"}})").error_message(),
            "user nobody is not found");
  EXPECT_EQ(add(R"({"role_id":2,"member_user":{"user_id":99}})").error_message(),
            "Failed to get user 99: user 99 not found");
  EXPECT_EQ(add("{}").status, 400);
  EXPECT_EQ(add(R"({"role_id":9,"member_user":{"username":"admin"}})").status, 400);
  EXPECT_EQ(add(R"({"role_id":2,"member_group":{"group_name":"g"}})").error_message(),
            "g not found: not supported");
  EXPECT_EQ(rest_.get(path, "guest").status, 200);
  EXPECT_EQ(rest_.get(path, "stranger").status, 200);
  EXPECT_EQ(rest_.put(path, R"({"role_id":5})", "stranger").status, 403);
  EXPECT_EQ(rest_.put(path, R"({"role_id":5})", "owner").status, 200);
  EXPECT_EQ(rest_.get(path, "stranger").status, 403) << "limited guests do not see members";
  EXPECT_EQ(rest_.put(path, R"({"role_id":9})", "owner").status, 400);
  const Answer list = rest_.get("/projects/priv/members?page_size=2", "owner");
  EXPECT_EQ(list.header("X-Total-Count"), "3");
  EXPECT_LT(list.body.find("\"guest\""), list.body.find("\"owner\"")) << "by name";
  EXPECT_EQ(rest_.get("/projects/priv/members?entityname=gue", "owner").body, "[]");
  EXPECT_EQ(rest_.remove(path, "owner").status, 200);
  EXPECT_EQ(rest_.remove(path, "owner").status, 200) << "gone already";
  EXPECT_EQ(rest_.get(path, "owner").status, 404);
  EXPECT_EQ(rest_.get("/projects/priv/members/0", "owner").error_message(),
            "the member id can not be empty!");
  EXPECT_EQ(rest_.get("/projects/priv", "stranger").status, 403) << "ended at once";
}

}  // namespace
}  // namespace roadstead::api
