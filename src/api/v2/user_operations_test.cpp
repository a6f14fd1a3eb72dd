#include <algorithm>

#include <gtest/gtest.h>

#include "api/v2/describe.h"
#include "api/v2/testing/rest_backend.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

using testing::Answer;

class UserApi : public ::testing::Test {
 protected:
  void SetUp() override { alice_ = rest_.below.add_user("alice"); }
  std::string alice_path(const std::string& more = {}) const {
    return "/users/" + std::to_string(alice_.value) + more;
  }
  testing::RestBackend rest_;
  UserId alice_;
};

TEST_F(UserApi, AdministratorsCreateAccounts) {
  const std::string body =
      R"({"username":"bob","email":"bob@example.com","realname":"B","password":"Oracle12345"})";
  EXPECT_EQ(rest_.post("/users", body).status, 401);
  EXPECT_EQ(rest_.post("/users", body, "alice").error_message(), "alice");
  const Answer created = rest_.post("/users", body, "admin");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.header("Location"), "/api/v2.0/users/3");
  EXPECT_EQ(rest_.post("/users", body, "admin").error_message(),
            "user bob or email bob@example.com already exists");
  EXPECT_EQ(rest_.post("/users", "null", "admin").status, 400);
  EXPECT_EQ(
      rest_.post("/users", R"({"username":")" + std::string(256, 'x') + "\"}", "admin").status,
      422);
}

TEST_F(UserApi, OwnAccountOrAdministrator) {
  const Answer own = rest_.get(alice_path(), "alice");
  EXPECT_EQ(own.status, 200);
  EXPECT_EQ(own.body.find("comment"), std::string::npos) << "empty ones are left out";
  EXPECT_NE(own.body.find(R"("username":"alice")"), std::string::npos);
  EXPECT_EQ(rest_.get("/users/1", "alice").status, 403);
  EXPECT_EQ(rest_.get("/users/99999", "alice").status, 403);
  EXPECT_EQ(rest_.get("/users/99999", "admin").error_message(), "user 99999 not found");
  EXPECT_EQ(rest_.get("/users/1").status, 401);
  EXPECT_EQ(rest_.get("/users/abc", "admin").error_message(),
            "validation failure list:\nuser_id in path must be of type int64: \"abc\"");
  EXPECT_EQ(rest_.get("/users/-1", "admin").error_message(), "user -1 not found");
  EXPECT_EQ(rest_.put(alice_path(), R"({"email":"n@example.com","realname":"N"})", "alice").status,
            200);
  EXPECT_EQ(rest_.put("/users/1", R"({"email":"n@example.com","realname":"N"})", "alice").status,
            403);
}

TEST_F(UserApi, CurrentAndSearch) {
  EXPECT_EQ(rest_.get("/users/current").status, 401);
  EXPECT_NE(rest_.get("/users/current", "admin").body.find(R"("sysadmin_flag":true)"),
            std::string::npos);
  EXPECT_EQ(rest_.get("/users/search?username=ali", "alice").body,
            R"([{"user_id":2,"username":"alice"}])");
  EXPECT_EQ(rest_.get("/users/search", "alice").status, 422);
  EXPECT_EQ(rest_.get("/users/search?username=ali").status, 401);
}

TEST_F(UserApi, ListIsForAdministrators) {
  EXPECT_EQ(rest_.get("/users", "alice").status, 403);
  const Answer list = rest_.get("/users?username=LIC", "admin");
  EXPECT_EQ(list.header("X-Total-Count"), "1");
  EXPECT_EQ(rest_.get("/users?q=user_id=abc", "admin").status, 400);
}

TEST_F(UserApi, PasswordsAreChangedByTheirOwnersOrAdministrators) {
  const std::string path = alice_path("/password");
  EXPECT_EQ(rest_.put(path, R"({"new_password":"Changed12345"})", "alice").error_message(),
            "Current password is incorrect");
  EXPECT_EQ(
      rest_.put(path, R"({"old_password":"Oracle12345","new_password":"weak"})", "alice").status,
      400);
  EXPECT_EQ(rest_.put("/users/1/password", R"({"new_password":"Changed12345"})", "alice").status,
            403);
  EXPECT_EQ(rest_.put(path, R"({"new_password":"Oracle12345"})", "admin").error_message(),
            "New password is identical to old password");
  EXPECT_EQ(
      rest_.put(path, R"({"old_password":"Oracle12345","new_password":"Changed12345"})", "alice")
          .status,
      200);
  EXPECT_EQ(rest_.get("/users/current", "alice").status, 401);
}

TEST_F(UserApi, AdministratorsAreMadeAndUnmade) {
  EXPECT_EQ(rest_.put(alice_path("/sysadmin"), R"({"sysadmin_flag":true})", "alice").status, 403);
  EXPECT_EQ(rest_.put(alice_path("/sysadmin"), R"({"sysadmin_flag":"yes"})", "admin").status, 422);
  EXPECT_EQ(rest_.put(alice_path("/sysadmin"), R"({"sysadmin_flag":true})", "admin").status, 200);
  EXPECT_EQ(rest_.get("/users", "alice").status, 200);
  EXPECT_EQ(rest_.put(alice_path("/sysadmin"), R"({"sysadmin_flag":false})", "admin").status, 200);
  EXPECT_EQ(rest_.get("/users", "alice").status, 403);
  EXPECT_EQ(
      rest_.put("/users/99999/sysadmin", R"({"sysadmin_flag":true})", "admin").error_message(),
      "user with id 99999 not found");
}

TEST_F(UserApi, DeletionEndsAccess) {
  EXPECT_EQ(rest_.remove(alice_path(), "alice").status, 403);
  EXPECT_EQ(rest_.get("/users/current", "alice").status, 200);
  EXPECT_EQ(rest_.remove(alice_path(), "admin").status, 200);
  EXPECT_EQ(rest_.get("/users/current", "alice").status, 401);
  EXPECT_EQ(rest_.remove(alice_path(), "admin").status, 404);
  EXPECT_EQ(rest_.remove("/users/1", "admin").error_message(), "User with ID 1 cannot be deleted");
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST_F(UserApi, PermissionsAreThoseOfTheMatrix) {
  EXPECT_EQ(rest_.get("/users/current/permissions").status, 401);
  EXPECT_EQ(rest_.get("/users/current/permissions", "alice").body, "[]");
  EXPECT_EQ(rest_.get("/users/current/permissions?scope=/system", "alice").body, "[]");
  EXPECT_EQ(rest_.get("/users/current/permissions?scope=/project/x", "alice").body, "[]");
  EXPECT_EQ(rest_.get("/users/current/permissions?scope=/project/2", "alice").body, "[]");
  const std::string anyone =
      rest_.get("/users/current/permissions?scope=/project/1&relative=true", "alice").body;
  EXPECT_EQ(count(anyone, "\"action\""), 12U) << anyone;
  EXPECT_NE(anyone.find(R"({"resource":".","action":"read"})"), std::string::npos);
  const std::string admin =
      rest_.get("/users/current/permissions?scope=/project/999", "admin").body;
  EXPECT_NE(admin.find(R"({"resource":"/project/999/member","action":"create"})"),
            std::string::npos);
  EXPECT_NE(rest_.get("/users/current/permissions?scope=/system", "admin")
                .body.find(R"({"resource":"catalog","action":"read"})"),
            std::string::npos);
}

TEST_F(UserApi, SystemInformationIsShortForAnyone) {
  const std::string anyone = rest_.get("/systeminfo").body;
  EXPECT_EQ(anyone.find("version"), std::string::npos) << anyone;
  const std::string alice = rest_.get("/systeminfo", "alice").body;
  EXPECT_NE(alice.find(R"("registry_url":"registry.test")"), std::string::npos) << alice;
  EXPECT_NE(alice.find(R"("external_url":"http://registry.test")"), std::string::npos);
  const Answer pong = rest_.get("/ping");
  EXPECT_EQ(pong.body, "Pong");
  EXPECT_EQ(rest_.get("/ping", "Basic !!!").status, 200);
  EXPECT_EQ(rest_.get("/health").body.find("unhealthy"), std::string::npos);
  EXPECT_EQ(rest_.put(alice_path("/cli_secret"), R"({"secret":"Abcdefg1"})").status, 412);
}

TEST(Describe, NamesEveryOperationOnce) {
  const std::string text = v2_openapi_document("1.2.3");
  const auto document = json::Document::parse(text);
  ASSERT_TRUE(document);
  const json::Value paths = document->root()["paths"];
  EXPECT_GT(paths.size(), 15U);
  std::vector<std::string> ids;
  for (std::size_t p = 0; p < paths.size(); ++p) {
    const json::Value methods = paths.value_at(p);
    for (std::size_t m = 0; m < methods.size(); ++m) {
      const json::Value operation = methods.value_at(m);
      ids.emplace_back(operation["operationId"].as_string().value_or(""));
      EXPECT_FALSE(ids.back().empty());
      EXPECT_FALSE(operation["summary"].as_string().value_or("").empty()) << ids.back();
      EXPECT_TRUE(operation["responses"]["default"].present()) << ids.back();
    }
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

}  // namespace
}  // namespace roadstead::api
