#include "api/token/token_endpoint.h"

#include <gtest/gtest.h>

#include "api/operation/testing/backend.h"
#include "base/text.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

using testing::Answer;
using testing::Ask;

class TokenApi : public ::testing::Test {
 protected:
  void SetUp() override {
    dev_ = backend_.add_user("dev");
    (void)backend_.add_user("stranger");
    run("INSERT INTO project (name, owner_id, public, creation_time, update_time) "
        "VALUES ('reg', 1, 0, 0, 0)");
    run("INSERT INTO project (name, owner_id, public, creation_time, update_time) "
        "VALUES ('regpub', 1, 1, 0, 0)");
    run("INSERT INTO project_member (project_id, entity_type, entity_id, role, creation_time, "
        "update_time) VALUES (1, 'u', 2, 2, 0, 0)");
  }
  void run(const std::string& sql) {
    ASSERT_TRUE(backend_.database->write(
        [&](db::WriteSession& session) { return session.execute(sql, {}); }));
  }
  Answer send(const Ask& ask) {
    return backend_.send(
        [&](const http::Request&, http::RouteParameters&) -> http::Endpoint& { return endpoint_; },
        ask);
  }
  Answer ask(const std::string& query, const std::string& as = {}) {
    return send({.target = "/service/token?service=harbor-registry" + query, .as = as});
  }
  static std::string token_of(const Answer& answer) {
    const auto document = json::Document::parse(answer.body).value();
    return std::string(document.root()["token"].as_string().value_or(""));
  }
  /// The "access" claim of the token in an answer, as JSON text.
  static std::string access_of(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto payload = from_base64url(split(token_of(answer), '.').at(1)).value();
    return json::Document::parse(payload).value().root()["access"].to_text();
  }
  testing::Backend backend_;
  TokenEndpoint endpoint_{{*backend_.database, *backend_.authenticator, backend_.tokens}};
  UserId dev_;
};

TEST_F(TokenApi, GivesAllActionsOfTheCallerWhateverWasAsked) {
  const std::string developer =
      R"([{"type":"repository","name":"reg/app","actions":["pull","push"]}])";
  for (const std::string asked : {"pull", "pull,push", "delete", "*", ""}) {
    EXPECT_EQ(access_of(ask("&scope=repository:reg/app:" + asked, "dev")), developer) << asked;
  }
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app", "dev")), developer);
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull", "admin")),
            R"([{"type":"repository","name":"reg/app","actions":["pull","push","delete"]}])");
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull", "stranger")),
            R"([{"type":"repository","name":"reg/app","actions":[]}])");
}

TEST_F(TokenApi, AnyonePullsFromPublicProjects) {
  EXPECT_EQ(access_of(ask("&scope=repository:regpub/app:pull,push")),
            R"([{"type":"repository","name":"regpub/app","actions":["pull"]}])");
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull")),
            R"([{"type":"repository","name":"reg/app","actions":[]}])");
}

TEST_F(TokenApi, SeveralScopesComeEitherWay) {
  const std::string both = R"([{"type":"repository","name":"reg/app","actions":["pull","push"]},)"
                           R"({"type":"repository","name":"regpub/x","actions":["pull"]}])";
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull&scope=repository:regpub/x:push", "dev")),
            both);
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull%20repository:regpub/x:pull", "dev")),
            both);
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull+repository:regpub/x:pull", "dev")), both);
}

TEST_F(TokenApi, OddScopesGiveNothing) {
  const auto entry = [](const std::string& type, const std::string& name) {
    return R"([{"type":")" + type + R"(","name":")" + name + R"(","actions":[]}])";
  };
  EXPECT_EQ(access_of(ask("&scope=repository", "dev")), entry("repository", ""));
  EXPECT_EQ(access_of(ask("&scope=repository::pull", "dev")), entry("repository", ""));
  EXPECT_EQ(access_of(ask("&scope=bogus:x:y", "dev")), entry("bogus", "x"));
  EXPECT_EQ(access_of(ask("&scope=repository:nope/x:pull", "dev")), entry("repository", "nope/x"));
  EXPECT_EQ(access_of(ask("&scope=repository:single:pull", "dev")), entry("repository", "single"));
  EXPECT_EQ(access_of(ask("&scope=repository:REG/app:pull", "dev")),
            entry("repository", "REG/app"));
  EXPECT_EQ(access_of(ask("&scope=repository(plugin):reg/app:pull", "dev")),
            entry("repository(plugin)", "reg/app"));
  EXPECT_EQ(access_of(ask("&scope=", "dev")), "null");
}

TEST_F(TokenApi, TheCatalogIsForAdministrators) {
  EXPECT_EQ(access_of(ask("&scope=registry:catalog:*", "admin")),
            R"([{"type":"registry","name":"catalog","actions":["*"]}])");
  EXPECT_EQ(access_of(ask("&scope=registry:catalog:*", "dev")),
            R"([{"type":"registry","name":"catalog","actions":[]}])");
}

TEST_F(TokenApi, WithoutScopeProvesWhoTheCallerIs) {
  EXPECT_EQ(access_of(ask("&account=other&client_id=docker&offline_token=true", "dev")), "null");
  const Answer anonymous = ask("");
  EXPECT_EQ(anonymous.status, 401);
  EXPECT_EQ(anonymous.body, "");
  EXPECT_EQ(ask("", "Basic ZGV2Ondyb25n").status, 401) << "docker login with a wrong password";
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull", "Basic ZGV2Ondyb25n")),
            R"([{"type":"repository","name":"reg/app","actions":[]}])")
      << "wrong credentials are none";
}

TEST_F(TokenApi, AnswersInTheKnownForm) {
  const Answer answer = ask("&scope=repository:reg/app:pull", "dev");
  EXPECT_EQ(answer.identity, "user:dev");
  const auto document = json::Document::parse(answer.body).value();
  EXPECT_EQ(document.root().size(), 4U);
  EXPECT_EQ(document.root()["access_token"].as_string(), "");
  EXPECT_EQ(document.root()["expires_in"].as_int(), 1'800);
  EXPECT_TRUE(document.root()["issued_at"].as_string().has_value());
  const auth::Principal bearer = backend_.tokens.verify(token_of(answer)).value();
  EXPECT_EQ(bearer.user, dev_);
  ASSERT_EQ(bearer.scopes->size(), 1U);
  EXPECT_EQ(bearer.scopes->front().project, ProjectId{1});
}

TEST_F(TokenApi, RefusesOtherServicesAndMethods) {
  EXPECT_EQ(send({.target = "/service/token", .as = "dev"}).body, "Unable to handle service: ");
  const Answer other = send({.target = "/service/token?service=harbor-notary", .as = "dev"});
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(other.body, "Unable to handle service: harbor-notary");
  const Answer post = send({.method = http::Method::kPost,
                            .target = "/service/token",
                            .as = "",
                            .body = "grant_type=password&username=dev&password=Oracle12345"});
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.body, "Method Not Allowed\n");
  std::string many;
  for (int i = 0; i < 65; ++i) {
    many += "&scope=repository:reg/a" + std::to_string(i) + ":pull";
  }
  EXPECT_EQ(ask(many, "dev").status, 400);
}

TEST_F(TokenApi, FollowsChangesAtOnce) {
  run("DELETE FROM project_member");
  EXPECT_EQ(access_of(ask("&scope=repository:reg/app:pull", "dev")),
            R"([{"type":"repository","name":"reg/app","actions":[]}])");
  ASSERT_TRUE(backend_.users.remove(dev_));
  EXPECT_EQ(ask("", "dev").status, 401);
}

}  // namespace
}  // namespace roadstead::api
