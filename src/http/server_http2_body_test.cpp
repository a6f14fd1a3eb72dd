#include <thread>

#include <gtest/gtest.h>

#include "http/server.h"
#include "http/testing/http2_client.h"
#include "http/testing/logged_sink.h"
#include "http/testing/test_server.h"

namespace roadstead::http {
namespace {

using testing::Http2Answer;
using testing::Http2Client;
using testing::LoggedSink;
using testing::SinkLog;
using testing::TestServer;

constexpr std::size_t kBuffer = 100'000;

std::string body_of(std::size_t size) {
  std::string body(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    body[i] = static_cast<char>('a' + i * 7 % 26);
  }
  return body;
}

class ServerHttp2BodyTest : public ::testing::Test {
 protected:
  ServerHttp2BodyTest() {
    host.listen_tls();
    host.options.limits.early_answer_time = std::chrono::milliseconds(20);
    host.options.limits.upload_buffer_bytes = kBuffer;
    auto& upload = host.application["/upload"];
    upload.mode = BodyMode::kStreamed;
    upload.on_open = [this](const Request& request, Context&) -> testing::FunctionEndpoint::Opened {
      if (request.header("Authorization") == "none") {
        return Response(401);
      }
      return std::make_unique<LoggedSink>(log);
    };
    auto& echo = host.application["/echo"];
    echo.mode = BodyMode::kBuffered;
    echo.max = 100'000;
    echo.on_handle = [](const Request& request, Context&) {
      Response response;
      response.set_body(std::string(request.body), "text/plain");
      return response;
    };
    host.application["/none"].on_try_now = [](const Request&, Context&) { return Response(200); };
  }
  ~ServerHttp2BodyTest() override {
    log.change([](auto& state) { state.gate_open = true; });
  }
  std::string received() {
    return log.state.with([](const auto& state) { return state.received; });
  }
  bool all_sinks_gone() {
    return log.wait([](const auto& state) { return state.opened == state.destroyed; });
  }

  SinkLog log;
  TestServer host;
};

TEST_F(ServerHttp2BodyTest, GathersBodiesWithAndWithoutLength) {
  host.start();
  Http2Client client(host.port());
  for (const std::size_t size : {1U, 100U, 70'000U, 100'000U}) {
    const std::string body = body_of(size);
    EXPECT_TRUE(client.fetch("POST", "/echo", {}, body).body == body) << size;
    const std::int32_t id = client.begin_open("POST", "/echo");
    client.append(id, body.substr(0, size / 2));
    client.append(id, body.substr(size / 2), true);
    EXPECT_TRUE(client.wait(id).body == body) << size;
  }
  EXPECT_EQ(host.observer.wait(8)[7].bytes_in, 100'000U);
}

TEST_F(ServerHttp2BodyTest, BodiesOverTheLimitAreRefusedAndTheConnectionLives) {
  host.start();
  Http2Client client(host.port());
  const std::int32_t announced = client.begin_open("POST", "/echo", {{"content-length", "100001"}});
  EXPECT_EQ(client.wait(announced).status, 413);
  EXPECT_EQ(client.answer(announced).error, 0U);
  EXPECT_TRUE(client.answer(announced).ended);
  const std::int32_t streaming = client.begin_open("POST", "/echo");
  client.append(streaming, body_of(100'001));
  EXPECT_EQ(client.wait(streaming).status, 413);
  EXPECT_EQ(client.fetch("POST", "/none", {}, "x").status, 400);
  const std::int32_t unexpected = client.begin_open("POST", "/none");
  client.append(unexpected, "x");
  EXPECT_EQ(client.wait(unexpected).status, 400);
  const std::int32_t empty = client.begin_open("POST", "/none");
  client.append(empty, "", true);
  EXPECT_EQ(client.wait(empty).status, 200);
  EXPECT_EQ(client.fetch("POST", "/none", {{"content-length", "0"}}).status, 200);
  EXPECT_EQ(host.server->statistics().connections_accepted, 1U);
}

TEST_F(ServerHttp2BodyTest, UploadsArriveWholeInBoundedBuffers) {
  host.start();
  Http2Client client(host.port());
  std::string expected;
  for (const std::size_t size : {1U, 100'000U, 262'144U, 262'145U, 3'000'000U}) {
    const std::string body = body_of(size);
    EXPECT_EQ(client.fetch("PATCH", "/upload", {}, body).status, 201) << size;
    expected += body;
    const std::int32_t id = client.begin_open("PATCH", "/upload");
    client.append(id, body.substr(0, size / 3));
    client.append(id, body.substr(size / 3), true);
    EXPECT_EQ(client.wait(id).status, 201) << size;
    expected += body;
  }
  EXPECT_EQ(client.fetch("PATCH", "/upload").status, 201);
  EXPECT_TRUE(received() == expected);
  EXPECT_TRUE(all_sinks_gone());
  EXPECT_EQ(host.server->statistics().uploads_streaming, 0U);
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 11); });
}

TEST_F(ServerHttp2BodyTest, SmallBuffersLoseNothing) {
  host.options.limits.upload_buffer_bytes = 1000;
  host.start();
  Http2Client client(host.port());
  const std::string body = body_of(500'000);
  EXPECT_EQ(client.fetch("PATCH", "/upload", {}, body).status, 201);
  EXPECT_TRUE(received() == body);
  log.state.with([](const auto& state) { EXPECT_EQ(state.largest, 1000U); });
}

TEST_F(ServerHttp2BodyTest, APausedSinkStopsTheClientAtItsWindow) {
  log.change([](auto& state) { state.gate_open = false; });
  host.start();
  Http2Client client(host.port());
  const std::string body = body_of(3'000'000);
  const std::int32_t id = client.begin("PUT", "/upload", {}, body);
  client.flush();
  while (client.sent(id) < 2 * kBuffer) {
    ASSERT_TRUE(client.read());
    client.flush();
  }
  ASSERT_TRUE(log.wait([](const auto& state) { return state.begun == 1; }));
  // Other streams go on meanwhile, and nothing more of this one is let through.
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.fetch("GET", "/none").status, 200);
  }
  EXPECT_EQ(client.sent(id), 2 * kBuffer);
  EXPECT_EQ(host.server->statistics().uploads_streaming, 1U);
  log.change([](auto& state) { state.gate_open = true; });
  EXPECT_EQ(client.wait(id).status, 201);
  EXPECT_TRUE(received() == body);
}

TEST_F(ServerHttp2BodyTest, ManyUploadsOnOneConnectionAllEnd) {
  host.start();
  Http2Client client(host.port());
  std::vector<std::int32_t> ids;
  const std::string body = body_of(300'000);
  for (int i = 0; i < 30; ++i) {
    ids.push_back(client.begin("PUT", "/upload", {}, body));
  }
  for (const std::int32_t id : ids) {
    EXPECT_EQ(client.wait(id).status, 201);
  }
  EXPECT_EQ(received().size(), 30 * body.size());
  EXPECT_TRUE(all_sinks_gone());
}

TEST_F(ServerHttp2BodyTest, ContinueIsSentOnlyWhenTheBodyIsWanted) {
  host.start();
  Http2Client client(host.port());
  for (const char* path : {"/echo", "/upload"}) {
    const std::int32_t id =
        client.begin_open("POST", path, {{"content-length", "3"}, {"expect", "100-continue"}});
    EXPECT_EQ(client.wait_for_head(id).interim, 1);
    EXPECT_EQ(client.answer(id).status, 0);
    client.append(id, "abc", true);
    EXPECT_GE(client.wait(id).status, 200);
  }
  const std::int32_t refused = client.begin_open(
      "POST", "/upload",
      {{"content-length", "3"}, {"expect", "100-continue"}, {"authorization", "none"}});
  EXPECT_EQ(client.wait(refused).status, 401);
  EXPECT_EQ(client.answer(refused).interim, 0);
}

TEST_F(ServerHttp2BodyTest, AnEarlyAnswerEndsTheStreamAndNotTheConnection) {
  log.change([](auto& state) { state.answer_at = 10'000; });
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin("PUT", "/upload", {}, body_of(4'000'000));
  const Http2Answer& answer = client.wait(id);
  EXPECT_EQ(answer.status, 403);
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.error, 0U);  // NO_ERROR
  EXPECT_LT(client.sent(id), 4'000'000U);
  EXPECT_TRUE(all_sinks_gone());
  EXPECT_EQ(client.fetch("PUT", "/upload", {{"authorization", "none"}}, body_of(300'000)).status,
            401);
  // Bytes that nobody wanted count as read: the connection's window is whole again.
  log.change([](auto& state) { state.answer_at = SIZE_MAX; });
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(client.fetch("PUT", "/upload", {{"authorization", "none"}}, body_of(400'000)).status,
              401);
  }
  EXPECT_EQ(client.fetch("PUT", "/upload", {}, body_of(300'000)).status, 201);
}

TEST_F(ServerHttp2BodyTest, AnEarlyAnswerWaitsForTheClientToStop) {
  host.options.limits.early_answer_time = std::chrono::hours(1);
  host.start();
  Http2Client client(host.port());
  const std::int32_t id =
      client.begin("PUT", "/upload", {{"authorization", "none"}}, body_of(300'000));
  while (!client.answer(id).ended) {
    client.flush();
    ASSERT_TRUE(client.read());
  }
  EXPECT_EQ(client.answer(id).status, 401);
  EXPECT_FALSE(client.answer(id).closed);
  client.append(id, "more");  // Read and forgotten.
  EXPECT_EQ(client.fetch("GET", "/none").status, 200);
  client.reset(id, 0);
  EXPECT_EQ(client.fetch("GET", "/none").status, 200);
  EXPECT_EQ(host.observer.wait(3).size(), 3U);
}

TEST_F(ServerHttp2BodyTest, AResetDuringAWriteFreesTheSinkAfterIt) {
  log.change([](auto& state) { state.gate_open = false; });
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin("PUT", "/upload", {}, body_of(3'000'000));
  client.flush();
  while (client.sent(id) < 2 * kBuffer) {
    ASSERT_TRUE(client.read());
    client.flush();
  }
  ASSERT_TRUE(log.wait([](const auto& state) { return state.begun == 1; }));
  client.reset(id, 8);
  EXPECT_EQ(client.fetch("GET", "/none").status, 200);
  log.state.with([](const auto& state) { EXPECT_EQ(state.destroyed, 0); });
  log.change([](auto& state) { state.gate_open = true; });
  EXPECT_TRUE(all_sinks_gone());
  const auto records = host.observer.wait(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_TRUE(records[1].aborted);
  EXPECT_EQ(records[1].status, 499);
  EXPECT_EQ(host.server->statistics().uploads_streaming, 0U);
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 0); });
}

TEST_F(ServerHttp2BodyTest, DisconnectsAndStopsFreeSinks) {
  host.start();
  for (const bool stops : {false, true}) {
    Http2Client client(host.port());
    const std::int32_t id = client.begin_open("PUT", "/upload");
    client.append(id, body_of(50'000));
    ASSERT_TRUE(log.wait([&](const auto& state) { return state.opened == (stops ? 2 : 1); }));
    if (stops) {
      host.stop();
    } else {
      client.socket().reset();
    }
    EXPECT_TRUE(all_sinks_gone());
  }
  EXPECT_EQ(host.observer.wait(2).size(), 2U);
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 0); });
}

TEST_F(ServerHttp2BodyTest, ALengthThatIsNotKeptResetsTheStream) {
  host.start();
  Http2Client client(host.port());
  for (const char* path : {"/echo", "/upload"}) {
    const std::int32_t more = client.begin_open("POST", path, {{"content-length", "3"}});
    client.append(more, "abcd", true);
    EXPECT_EQ(client.wait(more).error, 1U) << path;  // PROTOCOL_ERROR
    const std::int32_t less = client.begin_open("POST", path, {{"content-length", "300000"}});
    client.append(less, "abc", true);
    EXPECT_EQ(client.wait(less).status == 413 ? 1U : client.answer(less).error, 1U) << path;
  }
  EXPECT_TRUE(all_sinks_gone());
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 0); });
}

}  // namespace
}  // namespace roadstead::http
