#include "api/v1/rest_api.h"

#include <gtest/gtest.h>

#include "api/v2/testing/rest_backend.h"

namespace roadstead::api {
namespace {

using testing::Answer;

class Rest : public ::testing::Test {
 protected:
  Answer get(const std::string& target, const std::string& as = {}) {
    return rest_.below.send(
        [&](const http::Request& request, http::RouteParameters& parameters) -> http::Endpoint& {
          return api_.route(request, parameters);
        },
        {.target = target, .as = as});
  }
  testing::RestBackend rest_;
  RestApi api_{RestParts{.v2 = {.database = *rest_.below.database,
                                .users = rest_.below.users,
                                .content = rest_.content,
                                .registry_options = rest_.registry_options,
                                .installation = {.version = "0.0.0",
                                                 .external_url = "https://reg.example.com:8443",
                                                 .storage_provider = "filesystem"}},
                         .authenticator = *rest_.below.authenticator,
                         .tokens = rest_.below.tokens}};
};

TEST_F(Rest, OldHealthChecksAreAnsweredToAnyone) {
  EXPECT_EQ(get("/api/ping").status, 200);
  const Answer version = get("/api/version");
  EXPECT_EQ(version.body, R"({"version":"v2.0"})");
  EXPECT_TRUE(version.on_io_thread);
  const Answer info = get("/api/systeminfo");
  EXPECT_EQ(info.status, 200);
  EXPECT_NE(info.body.find(R"("registry_url":"reg.example.com:8443")"), std::string::npos);
  EXPECT_NE(info.body.find(R"("with_notary":false)"), std::string::npos);
  EXPECT_EQ(info.body.find("0.0.0"), std::string::npos) << "our version is nobody's business";
}

TEST_F(Rest, EachPathHasItsApi) {
  EXPECT_EQ(get("/api/v2.0/ping").body, "Pong");
  EXPECT_EQ(get("/service/token?service=harbor-registry").status, 401);
  EXPECT_EQ(get("/service/token/?service=harbor-registry", "admin").status, 200);
  EXPECT_EQ(get("/api/v2.0/nothing").error_code(), "NOT_FOUND");
  for (const std::string nothing : {"/api", "/api/v1/ping", "/service/notifications/tasks/1"}) {
    const Answer answer = get(nothing);
    EXPECT_EQ(answer.status, 404) << nothing;
    EXPECT_EQ(answer.body, "");
  }
}

TEST_F(Rest, RefusalsOfTheEdgeHaveTheSameForm) {
  const http::Response saturated = api_.refuse(503, "/api/v2.0/projects", "busy");
  EXPECT_EQ(saturated.status(), 503);
  EXPECT_EQ(saturated.header("Retry-After"), "1");
}

}  // namespace
}  // namespace roadstead::api
