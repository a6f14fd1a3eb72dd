#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/server.h"
#include "http/testing/client.h"
#include "http/testing/logged_sink.h"
#include "http/testing/test_server.h"

namespace roadstead::http {
namespace {

using testing::Answer;
using testing::Client;
using testing::LoggedSink;
using testing::SinkLog;
using testing::TestServer;

constexpr std::size_t kBuffer = 4096;

class ServerBodyTest : public ::testing::Test {
 protected:
  ServerBodyTest() {
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
  ~ServerBodyTest() override {
    log.change([](auto& state) { state.gate_open = true; });
  }

  static std::string chunked(std::string_view body, std::size_t chunk) {
    std::string text;
    while (!body.empty()) {
      const std::string_view piece = body.substr(0, chunk);
      text += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
      body.remove_prefix(piece.size());
    }
    return text + "0\r\n\r\n";
  }
  static std::string body_of(std::size_t size) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
      body[i] = static_cast<char>('a' + i * 7 % 26);
    }
    return body;
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

TEST_F(ServerBodyTest, GathersSmallBodiesWhateverTheFraming) {
  host.start();
  Client client(host.port());
  for (const std::size_t size : {1U, 100U, 9'000U, 100'000U}) {
    const std::string body = body_of(size);
    EXPECT_TRUE(client.request("POST", "/echo", "", body).body == body) << size;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                chunked(body, 777));
    EXPECT_TRUE(client.receive().body == body) << size;
  }
  EXPECT_EQ(host.observer.wait(8)[7].bytes_in, 100'000U);
}

TEST_F(ServerBodyTest, BodiesOverTheLimitAreRefused) {
  host.start();
  Client announced(host.port());
  announced.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
  EXPECT_EQ(announced.receive().status, 413);
  Client streaming(host.port());
  streaming.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                 chunked(body_of(100'001), 5000));
  EXPECT_EQ(streaming.receive().status, 413);
}

TEST_F(ServerBodyTest, BodiesWhereNoneIsExpectedAreRefused) {
  host.start();
  EXPECT_EQ(Client(host.port()).request("POST", "/none", "", "x").status, 400);
  Client chunked_body(host.port());
  chunked_body.send(
      "POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(chunked_body.receive().status, 400);
  Client empty(host.port());
  empty.send("POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(empty.receive().status, 200);
  EXPECT_EQ(empty.request("POST", "/none", "Content-Length: 0\r\n").status, 200);
}

TEST_F(ServerBodyTest, BadChunkingIsRefused) {
  host.start();
  for (const char* path : {"/echo", "/upload"}) {
    Client client(host.port());
    client.send(std::string("POST ") + path +
                " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n");
    EXPECT_EQ(client.receive().status, 400) << path;
  }
  EXPECT_TRUE(all_sinks_gone());
}

TEST_F(ServerBodyTest, UploadsArriveWholeInBoundedBuffers) {
  host.start();
  Client client(host.port());
  std::string expected;
  for (const std::size_t size : {1U, 4'096U, 100'000U, 262'144U, 262'145U, 1'000'000U}) {
    const std::string body = body_of(size);
    EXPECT_EQ(client.request("PATCH", "/upload", "", body).status, 201) << size;
    expected += body;
    client.send("PATCH /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                chunked(body, 10'000));
    EXPECT_EQ(client.receive().status, 201) << size;
    expected += body;
  }
  EXPECT_EQ(client.request("PATCH", "/upload").status, 201);
  EXPECT_TRUE(received() == expected);
  EXPECT_TRUE(all_sinks_gone());
  EXPECT_EQ(host.server->statistics().uploads_streaming, 0U);
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 13); });
}

TEST_F(ServerBodyTest, StreamedPiecesAreNeverLargerThanABuffer) {
  host.start();
  Client client(host.port());
  EXPECT_EQ(client.request("PATCH", "/upload", "", body_of(300'000)).status, 201);
  log.state.with([](const auto& state) { EXPECT_EQ(state.largest, kBuffer); });
}

TEST_F(ServerBodyTest, APausedSinkStopsTheClient) {
  log.change([](auto& state) { state.gate_open = false; });
  host.start();
  Client client(host.port());
  const std::string body = body_of(64U << 20U);
  std::atomic<bool> sent = false;
  std::thread sender([&] {
    client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n");
    client.send(body);
    sent = true;
  });
  ASSERT_TRUE(log.wait([](const auto& state) { return state.begun == 1; }));
  // The kernel's buffers hold some of it, the server two buffers; the rest has to wait.
  EXPECT_FALSE(sent);
  EXPECT_EQ(host.server->statistics().uploads_streaming, 1U);
  log.change([](auto& state) { state.gate_open = true; });
  EXPECT_EQ(client.receive().status, 201);
  sender.join();
  EXPECT_TRUE(received() == body);
}

TEST_F(ServerBodyTest, ContinueIsSentOnlyWhenTheBodyIsWanted) {
  host.start();
  Client client(host.port());
  for (const char* path : {"/echo", "/upload"}) {
    const std::string head = std::string("POST ") + path +
                             " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                             "Expect: 100-continue\r\n";
    client.send(head + "\r\n");
    EXPECT_EQ(client.receive().status, 100);
    client.send("abc");
    EXPECT_GE(client.receive().status, 200);
  }
  client.send(
      "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nAuthorization: none\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive().status, 401);
  EXPECT_TRUE(client.closed_by_server());
  Client large(host.port());
  large.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(large.receive().status, 413);
}

TEST_F(ServerBodyTest, AnEarlyAnswerReachesAClientThatIsStillSending) {
  log.change([](auto& state) { state.answer_at = 10'000; });
  host.start();
  Client client(host.port());
  client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
  client.send(body_of(4'000'000));
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.header("Connection"), "close");
  client.shutdown_write();
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_TRUE(all_sinks_gone());
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 0); });
}

TEST_F(ServerBodyTest, SmallUploadsRefusedEarlyKeepTheConnection) {
  host.start();
  Client client(host.port());
  EXPECT_EQ(client.request("PUT", "/upload", "Authorization: none\r\n", "abc").status, 401);
  EXPECT_EQ(client.get("/none").status, 200);
}

TEST_F(ServerBodyTest, AClientThatGoesAwayFreesTheSink) {
  host.start();
  for (const bool reset : {false, true}) {
    Client client(host.port());
    client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    client.send(body_of(100'000));
    const int opened = reset ? 2 : 1;
    ASSERT_TRUE(log.wait([&](const auto& state) { return state.opened == opened; }));
    if (reset) {
      client.reset();
    }
  }
  EXPECT_TRUE(log.wait([](const auto& state) { return state.destroyed == 2; }));
  const auto records = host.observer.wait(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_TRUE(records[0].aborted);
  EXPECT_EQ(records[0].status, 499);
  log.state.with([](const auto& state) { EXPECT_EQ(state.finished, 0); });
}

TEST_F(ServerBodyTest, AClientThatGoesAwayDuringAWriteFreesTheSinkAfterIt) {
  log.change([](auto& state) { state.gate_open = false; });
  host.start();
  {
    Client client(host.port());
    client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    client.send(body_of(2 * kBuffer - 1));  // One buffer at the gate, one filling.
    ASSERT_TRUE(log.wait([](const auto& state) { return state.begun == 1; }));
    client.reset();
  }
  log.state.with([](const auto& state) { EXPECT_EQ(state.destroyed, 0); });
  log.change([](auto& state) { state.gate_open = true; });
  EXPECT_TRUE(all_sinks_gone());
  EXPECT_TRUE(host.observer.wait(1)[0].aborted);
}

TEST_F(ServerBodyTest, StoppingFreesSinks) {
  host.start();
  Client client(host.port());
  client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
  client.send(body_of(100'000));
  ASSERT_TRUE(log.wait([](const auto& state) { return state.writes > 0; }));
  host.stop();
  EXPECT_TRUE(all_sinks_gone());
  EXPECT_EQ(host.observer.wait(1).size(), 1U);
}

}  // namespace
}  // namespace roadstead::http
