#include "api/operation/router.h"

#include <gtest/gtest.h>

#include "api/operation/openapi.h"
#include "api/operation/testing/backend.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

using http::Method;
using testing::Answer;
using testing::Ask;

const Schema& thing_schema() {
  static const Schema kPart{"Part", {{"size", Type::kInteger}}};
  static const Schema kSchema{"Thing",
                              {{"name", Type::kString, "its name", nullptr, 5},
                               {"count", Type::kInteger},
                               {"part", Type::kObject, "", &kPart},
                               {"parts", Type::kList, "", &kPart},
                               {"labels", Type::kStringMap}}};
  return kSchema;
}

Result<http::Response> echo(const Call& call, std::string_view what) {
  json::Writer w;
  w.begin_object();
  w.member("operation", what);
  w.member("caller", call.caller.name);
  w.member("sysadmin", call.sysadmin);
  for (const auto& [name, value] : call.path) {
    w.member(name, value);
  }
  if (call.project) {
    w.member("project", call.project->project_name());
  }
  w.end_object();
  return json_response(w.take());
}

Handler echo_reads(std::string_view what) {
  return reads([what](const Call& call, db::ReadSession&) { return echo(call, what); });
}

std::vector<Operation> table() {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  const Parameter id{.name = "id", .in = Parameter::In::kPath, .type = Type::kInteger};
  std::vector<Operation> operations;
  operations.push_back({Method::kGet, "/open", Permission::open(), echo_reads("open"),
                        Documentation{.id = "open", .summary = "s", .tag = "t", .cheap = true}});
  operations.push_back(
      {Method::kGet, "/list", Permission::open(), echo_reads("list"),
       Documentation{.id = "list",
                     .summary = "s",
                     .tag = "t",
                     .parameters = list_parameters({{.name = "must", .required = true}}),
                     .response = &thing_schema(),
                     .response_is_list = true}});
  operations.push_back({Method::kGet, "/mine", Permission::authenticated(), echo_reads("mine"),
                        Documentation{.id = "mine", .summary = "s", .tag = "t", .cheap = true}});
  operations.push_back({Method::kGet, "/admin", Permission::system(Resource::kUser, Action::kList),
                        echo_reads("admin"),
                        Documentation{.id = "admin", .summary = "s", .tag = "t"}});
  operations.push_back({Method::kGet, "/things/special", Permission::open(), echo_reads("special"),
                        Documentation{.id = "special", .summary = "s", .tag = "t"}});
  operations.push_back(
      {Method::kGet, "/things/{id}/parts", Permission::open(), echo_reads("parts"),
       Documentation{.id = "parts", .summary = "s", .tag = "t", .parameters = {id}}});
  operations.push_back({Method::kPost, "/things", Permission::authenticated(),
                        writes([](const Call& call, db::WriteSession&) {
                          return echo(call, call.body.text("name"));
                        }),
                        Documentation{.id = "createThing",
                                      .summary = "s",
                                      .tag = "t",
                                      .body = &thing_schema(),
                                      .body_name = "thing",
                                      .success = 201}});
  operations.push_back({Method::kGet, "/projects/{project_name_or_id}",
                        Permission::project(Resource::kProject, Action::kRead),
                        echo_reads("project"),
                        Documentation{.id = "project", .summary = "s", .tag = "t", .cheap = true}});
  operations.push_back({Method::kGet, "/projects/{project_name}/repositories/{repository_name}",
                        Permission::project(Resource::kRepository, Action::kRead),
                        echo_reads("repository"),
                        Documentation{.id = "repository", .summary = "s", .tag = "t"}});
  operations.push_back({Method::kGet, "/broken", Permission::open(),
                        plain([](const Call&) -> Result<http::Response> {
                          return Error{Code::kInternal, Subject::kDatabase, "secret detail", {}};
                        }),
                        Documentation{.id = "broken", .summary = "s", .tag = "t"}});
  return operations;
}

class Operations : public ::testing::Test {
 protected:
  void SetUp() override {
    alice_ = backend_.add_user("alice");
    run("INSERT INTO project (name, owner_id, public, creation_time, update_time) "
        "VALUES ('priv', 1, 0, 0, 0)");
    run("INSERT INTO project (name, owner_id, public, creation_time, update_time) "
        "VALUES ('7', 1, 1, 0, 0)");
  }
  void run(const std::string& sql) {
    ASSERT_TRUE(backend_.database->write(
        [&](db::WriteSession& session) { return session.execute(sql, {}); }));
  }
  Answer send(const Ask& ask) {
    return backend_.send(
        [&](const http::Request& request, http::RouteParameters& parameters) -> http::Endpoint& {
          return router_.route(request, parameters);
        },
        ask);
  }
  Answer get(const std::string& path, const std::string& as = {}) {
    return send({.target = "/api/v2.0" + path, .as = as});
  }
  Answer post(const std::string& body, const std::string& as = "alice") {
    return send({.method = Method::kPost, .target = "/api/v2.0/things", .as = as, .body = body});
  }
  testing::Backend backend_;
  Router router_{"/api/v2.0", table(), {*backend_.database, *backend_.authenticator}};
  UserId alice_;
};

TEST_F(Operations, SlashesDoNotCount) {
  for (const std::string target : {"/api/v2.0/open", "/api/v2.0/open/", "//api//v2.0//open//"}) {
    EXPECT_EQ(send({.target = target, .as = ""}).status, 200) << target;
  }
}

TEST_F(Operations, UnknownPathsAndMethodsAreTold) {
  const Answer unknown = get("/nothing/here");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body,
            "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"path "
            "/api/v2.0/nothing/here was not found\"}]}\n");
  const Answer other = send({.method = Method::kPut, .target = "/api/v2.0/open", .as = ""});
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.error_message(), "method PUT is not allowed, but [GET] are");
  EXPECT_EQ(get("/open" + std::string(100, '/') + "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p").status, 404);
}

TEST_F(Operations, LiteralsGoBeforeParametersAndBack) {
  EXPECT_NE(get("/things/special").body.find("\"special\""), std::string::npos);
  EXPECT_NE(get("/things/12/parts").body.find("\"id\":\"12\""), std::string::npos);
  EXPECT_EQ(get("/things/special/parts").status, 422) << "matched, but no integer";
}

TEST_F(Operations, PermissionsAreCheckedInOnePlace) {
  EXPECT_EQ(get("/mine").status, 401);
  EXPECT_EQ(get("/mine").error_message(), "unauthorized");
  EXPECT_EQ(get("/mine", "alice").status, 200);
  EXPECT_EQ(get("/admin").status, 401);
  EXPECT_EQ(get("/admin", "alice").status, 403);
  EXPECT_EQ(get("/admin", "alice").error_message(), "alice");
  EXPECT_EQ(get("/admin", "admin").status, 200);
  EXPECT_EQ(get("/admin", "admin").identity, "user:admin");
}

TEST_F(Operations, WrongCredentialsAreNone) {
  const std::string wrong = "Basic " + std::string("Z2hvc3Q6Tm9wZTEyMzQ1");
  EXPECT_EQ(get("/open", wrong).status, 200);
  EXPECT_EQ(get("/open", wrong).identity, "anonymous");
  EXPECT_EQ(get("/mine", wrong).status, 401);
  EXPECT_EQ(get("/mine", "Basic !!!").status, 401);
  EXPECT_EQ(get("/mine", "Digest x").status, 401);
}

TEST_F(Operations, BearerTokensAreForTheRegistryOnly) {
  auth::Principal alice;
  alice.kind = auth::Principal::Kind::kUser;
  alice.user = alice_;
  alice.name = "alice";
  EXPECT_EQ(get("/mine", "Bearer " + backend_.tokens.issue(alice, {}).token).status, 401);
}

TEST_F(Operations, ThrottledLoginsAreToldWhenToComeBack) {
  const std::string wrong = "Basic YWxpY2U6Tm9wZTEyMzQ1";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(get("/mine", wrong).status, 401);
  }
  const Answer held = get("/mine", wrong);
  EXPECT_EQ(held.status, 429);
  EXPECT_EQ(held.error_code(), "TOO_MANY_REQUEST");
  EXPECT_EQ(held.header("Retry-After"), "2");
}

TEST_F(Operations, CheapReadsOfRememberedCallersNeedNoWorker) {
  EXPECT_TRUE(get("/open").on_io_thread);
  EXPECT_FALSE(get("/mine", "alice").on_io_thread) << "a password to hash";
  EXPECT_TRUE(get("/mine", "alice").on_io_thread);
  EXPECT_FALSE(get("/admin", "admin").on_io_thread) << "not said to be cheap";
}

TEST_F(Operations, AChangedPasswordCountsAtOnceAlsoForRememberedCallers) {
  ASSERT_EQ(get("/mine", "alice").status, 200);
  ASSERT_TRUE(backend_.users.set_password(alice_, "Changed12345"));
  EXPECT_EQ(get("/mine", "alice").status, 401);
  ASSERT_TRUE(backend_.users.set_password(alice_, std::string(testing::kPassword)));
  EXPECT_EQ(get("/mine", "alice").status, 200);
}

TEST_F(Operations, ProjectsAreFoundByIdOrName) {
  EXPECT_NE(get("/projects/1", "admin").body.find("\"project\":\"priv\""), std::string::npos);
  EXPECT_NE(get("/projects/priv", "admin").body.find("\"project\":\"priv\""), std::string::npos);
  EXPECT_EQ(get("/projects/7", "admin").status, 404) << "an id";
  const Answer by_name = send({.target = "/api/v2.0/projects/7",
                               .as = "admin",
                               .headers = {{"X-Is-Resource-Name", "true"}}});
  EXPECT_NE(by_name.body.find("\"project\":\"7\""), std::string::npos);
}

TEST_F(Operations, HiddenProjectsLookLikeAbsentOnes) {
  for (const std::string name : {"priv", "nope", "99999", "-1", "PRIV"}) {
    const Answer stranger = get("/projects/" + name, "alice");
    EXPECT_EQ(stranger.status, 403) << name;
    EXPECT_EQ(stranger.error_message(), "forbidden");
    const Answer anybody = get("/projects/" + name);
    EXPECT_EQ(anybody.status, 401) << name;
  }
  EXPECT_EQ(get("/projects/nope", "admin").error_message(), "project nope not found");
  EXPECT_EQ(get("/projects/2").status, 200) << "public";
}

TEST_F(Operations, RepositoryNamesMayBeEncodedTwice) {
  for (const std::string name : {"a%252Fb", "a%2Fb"}) {
    EXPECT_NE(get("/projects/priv/repositories/" + name, "admin")
                  .body.find("\"repository_name\":\"a/b\""),
              std::string::npos)
        << name;
  }
  EXPECT_EQ(get("/projects/priv/repositories/a/b", "admin").status, 404);
  EXPECT_EQ(get("/projects/priv/repositories/a%zz", "admin").status, 422);
}

TEST_F(Operations, ParametersAreCheckedBeforePermissions) {
  const Answer missing = get("/list");
  EXPECT_EQ(missing.status, 422);
  EXPECT_EQ(missing.error_message(), "validation failure list:\nmust in query is required");
  EXPECT_EQ(missing.header("WWW-Authenticate"), "Basic realm=\"API\"");
  EXPECT_EQ(get("/list?must=", "admin").header("WWW-Authenticate"), "");
  EXPECT_EQ(get("/list?must=1&page=x").error_message(),
            "validation failure list:\npage in query must be of type int64: \"x\"");
  EXPECT_EQ(get("/list?must=1&page_size=101").error_message(),
            "validation failure list:\npage_size in query should be less than or equal to 100");
  EXPECT_EQ(get("/list?must=1&page_size=100&page=-1").status, 200);
  EXPECT_EQ(send({.method = Method::kPost, .target = "/api/v2.0/things", .as = ""}).status, 422);
}

TEST_F(Operations, BodiesAreCheckedAgainstTheirSchema) {
  EXPECT_EQ(post("{\"name\":\"abc\",\"unknown\":1}").status, 200);
  EXPECT_EQ(post("null").status, 200);
  EXPECT_EQ(post("{\"name\":null}").status, 200);
  for (const std::string bad :
       {"{", "[]", "\"x\"", "{\"name\":1}", "{\"count\":\"x\"}", "{\"count\":1.5}",
        "{\"part\":{\"size\":\"x\"}}", "{\"parts\":[1]}", "{\"parts\":[{\"size\":true}]}",
        "{\"labels\":{\"a\":1}}", "{\"part\":[]}"}) {
    const Answer refused = post(bad);
    EXPECT_EQ(refused.status, 422) << bad;
    EXPECT_TRUE(refused.error_message().starts_with(
        "validation failure list:\nparsing thing body from \"\" failed, because "))
        << refused.body;
  }
  EXPECT_EQ(post("{\"name\":\"toolong\"}").error_message(),
            "validation failure list:\nvalidation failure list:\nname in body should be at most 5 "
            "chars long");
  EXPECT_EQ(post("  ").error_message(), "validation failure list:\nthing in body is required");
}

TEST_F(Operations, BodiesAndAnswersAreJson) {
  const Answer text = send({.method = Method::kPost,
                            .target = "/api/v2.0/things",
                            .as = "alice",
                            .body = "{}",
                            .headers = {{"Accept", "application/json"}}});
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(send({.target = "/api/v2.0/open", .as = "", .headers = {{"Accept", "text/html, */*"}}})
                .status,
            200);
  const Answer refused =
      send({.target = "/api/v2.0/open", .as = "", .headers = {{"Accept", "application/xml"}}});
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.error_message(),
            "validation failure list:\nunsupported media type requested, only [application/json] "
            "are available");
}

TEST_F(Operations, WhatBrokeIsNotTold) {
  const Answer broken = get("/broken");
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.error_message(), "internal server error");
  EXPECT_EQ(broken.body.find("secret"), std::string::npos);
}

TEST(OpenApi, DescribesEveryOperation) {
  const std::vector<Operation> operations = table();
  const std::string text =
      openapi_document(operations, {.title = "T", .version = "1", .base = "/api/v2.0"});
  const auto document = json::Document::parse(text);
  ASSERT_TRUE(document) << text;
  const json::Value root = document->root();
  EXPECT_EQ(root["openapi"].as_string(), "3.0.3");
  const json::Value post = root["paths"]["/things"]["post"];
  EXPECT_EQ(post["operationId"].as_string(), "createThing");
  EXPECT_EQ(post["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_string(),
            "#/components/schemas/Thing");
  EXPECT_TRUE(post["responses"]["201"].is_object());
  const json::Value parts = root["paths"]["/things/{id}/parts"]["get"]["parameters"].at(0);
  EXPECT_EQ(parts["in"].as_string(), "path");
  EXPECT_EQ(parts["required"].as_bool(), true);
  EXPECT_EQ(parts["schema"]["type"].as_string(), "integer");
  const json::Value thing = root["components"]["schemas"]["Thing"]["properties"];
  EXPECT_EQ(thing["name"]["maxLength"].as_int(), 5);
  EXPECT_EQ(thing["parts"]["items"]["$ref"].as_string(), "#/components/schemas/Part");
}

}  // namespace
}  // namespace roadstead::api
