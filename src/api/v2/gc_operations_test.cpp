#include <gtest/gtest.h>

#include "api/v2/testing/rest_backend.h"

namespace roadstead::api {
namespace {

using testing::Answer;

class GcApi : public ::testing::Test {
 protected:
  GcApi() { rest_.below.add_user("alice"); }
  Answer start(const std::string& parameters = "{}") {
    return rest_.post("/system/gc/schedule",
                      R"({"schedule":{"type":"Manual"},"parameters":)" + parameters + "}", "admin");
  }
  testing::RestBackend rest_;
};

TEST_F(GcApi, ForAdministratorsOnly) {
  for (const std::string path :
       {"/system/gc", "/system/gc/1", "/system/gc/1/log", "/system/gc/schedule"}) {
    EXPECT_EQ(rest_.get(path).status, 401) << path;
    EXPECT_EQ(rest_.get(path, "alice").status, 403) << path;
  }
  const std::string body = R"({"schedule":{"type":"Manual"}})";
  EXPECT_EQ(rest_.post("/system/gc/schedule", body, "alice").status, 403);
  EXPECT_EQ(rest_.put("/system/gc/1", "", "alice").status, 403);
  EXPECT_EQ(rest_.get("/system/gc", "admin").body, "[]");
}

TEST_F(GcApi, AManualRunHasHistoryAndLog) {
  const Answer started = start(R"({"dry_run":true,"delete_untagged":true,"workers":2})");
  ASSERT_EQ(started.status, 201);
  EXPECT_EQ(started.header("Location"), "/api/v2.0/system/gc/1");
  ASSERT_TRUE(rest_.collector.wait(gc::RunId{1}, std::chrono::seconds{20}).has_value());
  const Answer run = rest_.get("/system/gc/1", "admin");
  EXPECT_EQ(run.status, 200);
  for (const std::string part :
       {R"("job_kind":"MANUAL")", R"("job_name":"GARBAGE_COLLECTION")", R"("job_status":"Success")",
        R"(\"delete_untagged\":true,\"dry_run\":true)", R"(\"freed_space\":0)", R"(\"workers\":2)",
        R"("schedule":{"next_scheduled_time":"0001-01-01T00:00:00.000Z","type":"Manual"})"}) {
    EXPECT_NE(run.body.find(part), std::string::npos) << part << " in " << run.body;
  }
  const Answer log = rest_.get("/system/gc/1/log", "admin");
  EXPECT_EQ(log.header("Content-Type").substr(0, 10), "text/plain");
  EXPECT_NE(log.body.find("0 blobs and 0 manifests eligible for deletion"), std::string::npos);
  EXPECT_EQ(rest_.put("/system/gc/1", "", "admin").status, 200) << "to stop what is over is fine";
  const Answer list = rest_.get("/system/gc?page_size=1", "admin");
  EXPECT_EQ(list.header("X-Total-Count"), "1");
}

TEST_F(GcApi, BadRequestsBeginNothing) {
  EXPECT_EQ(start(R"({"workers":99})").error_message(),
            "Error: Invalid number of workers:99. Workers must be greater than 0 and less than or "
            "equal to 10.");
  EXPECT_EQ(start(R"({"workers":0})").status, 400);
  EXPECT_EQ(start(R"({"workers":"x"})").status, 422);
  const auto post = [&](const std::string& body) {
    return rest_.post("/system/gc/schedule", body, "admin").status;
  };
  EXPECT_EQ(post(R"({"schedule":{"type":"bogus"}})"), 422);
  EXPECT_EQ(post(R"({})"), 422);
  EXPECT_EQ(post(R"({"schedule":{"type":"Daily","cron":"0 0 0 * * *"}})"), 400);
  EXPECT_EQ(post(R"({"schedule":{"type":"None"}})"), 201);
  EXPECT_EQ(rest_.get("/system/gc", "admin").body, "[]");
  EXPECT_EQ(rest_.get("/system/gc/99999", "admin").error_message(),
            "garbage collection execution 99999 not found");
  EXPECT_EQ(rest_.get("/system/gc/99999/log", "admin").error_message(),
            "garbage collection 99999 log is not found");
  EXPECT_EQ(rest_.put("/system/gc/99999", "", "admin").error_message(),
            "execution 99999 not found");
  EXPECT_EQ(rest_.get("/system/gc/abc", "admin").status, 422);
}

}  // namespace
}  // namespace roadstead::api
