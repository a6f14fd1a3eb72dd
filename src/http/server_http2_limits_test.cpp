#include <thread>

#include <gtest/gtest.h>

#include "http/server.h"
#include "http/testing/http2_client.h"
#include "http/testing/logged_sink.h"
#include "http/testing/test_server.h"

namespace roadstead::http {
namespace {

using std::chrono::milliseconds;
using testing::Gate;
using testing::Http2Answer;
using testing::Http2Client;
using testing::TestServer;

constexpr std::uint32_t kProtocolError = 1;
constexpr std::uint32_t kRefusedStream = 7;
constexpr std::uint32_t kCancel = 8;
constexpr std::uint32_t kEnhanceYourCalm = 11;

enum FrameType : std::uint8_t { kData, kHeaders, kPriority, kReset, kSettings, kPush, kPing };
constexpr std::uint8_t kContinuation = 9;

class ServerHttp2LimitsTest : public ::testing::Test {
 protected:
  ServerHttp2LimitsTest() {
    host.listen_tls();
    host.options.limits.early_answer_time = std::chrono::milliseconds(20);
    host.application["/now"].on_try_now = [](const Request&, Context&) { return Response(200); };
    host.application["/gate"].on_handle = [this](const Request&, Context&) {
      gate.enter();
      return Response(200);
    };
    auto& echo = host.application["/echo"];
    echo.mode = BodyMode::kBuffered;
    echo.max = 10'000'000;
    echo.on_handle = [](const Request&, Context&) { return Response(200); };
    host.application["/big"].on_try_now = [](const Request&, Context&) {
      Response response;
      response.set_body(std::string(64U << 20U, 'x'), "text/plain");
      return response;
    };
  }
  ~ServerHttp2LimitsTest() override { gate.open(); }

  /// The status of a request with these fields, or the error that its stream ends with, negated.
  int outcome(const Http2Client::Fields& fields) {
    Http2Client client(host.port());
    const Http2Answer answer = client.wait(client.begin_raw(fields));
    EXPECT_EQ(client.fetch("GET", "/now").status, 200) << "the connection lives";
    return answer.status != 0 ? answer.status : -static_cast<int>(answer.error);
  }
  static Http2Client::Fields plain(Http2Client::Fields more) {
    Http2Client::Fields fields{
        {":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/now"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  /// Whether the server ends the connection with this error, or without a word when it is flooded.
  bool is_calmed(Http2Client& client) {
    client.read_all();
    if (client.told_to_go_away()) {
      return client.go_away_error() == kEnhanceYourCalm;
    }
    while (host.server->statistics().connections_open != 0) {
      std::this_thread::yield();
    }
    return true;
  }

  Gate gate;
  TestServer host;
};

TEST_F(ServerHttp2LimitsTest, OddRequestsAreRefused) {
  host.start();
  EXPECT_EQ(outcome(plain({})), 200);
  const int malformed = -static_cast<int>(kProtocolError);
  EXPECT_EQ(outcome(plain({{"connection", "close"}})), malformed);
  EXPECT_EQ(outcome(plain({{"transfer-encoding", "chunked"}})), malformed);
  EXPECT_EQ(outcome(plain({{"upgrade", "x"}})), malformed);
  EXPECT_EQ(outcome(plain({{"te", "gzip"}})), malformed);
  EXPECT_EQ(outcome(plain({{":path", "/other"}})), malformed);
  EXPECT_EQ(outcome(plain({{"x", "y"}, {":scheme", "https"}})), malformed);
  EXPECT_EQ(outcome(plain({{":strange", "x"}})), malformed);
  EXPECT_EQ(outcome(plain({{"content-length", "1"}, {"content-length", "1"}})), malformed);
  EXPECT_EQ(outcome(plain({{"content-length", "5"}})), malformed);
  EXPECT_EQ(outcome({{":method", "GET"}, {":path", "/now"}}), malformed);
  EXPECT_EQ(outcome(plain({{"host", "b"}})), 400);
  EXPECT_EQ(outcome(plain({{"host", "a"}})), 200);
  EXPECT_EQ(outcome(plain({{"x", "a\nb"}})), 400);
  EXPECT_EQ(outcome(plain({{"a b", "c"}})), 400);
  EXPECT_EQ(outcome(plain({{"expect", "magic"}})), 417);
  EXPECT_EQ(outcome({{":method", "GET"}, {":scheme", "https"}, {":path", "/now"}}), malformed);
  const auto records = host.observer.wait(34);
  ASSERT_EQ(records.size(), 34U);
  for (const auto& record : records) {
    EXPECT_TRUE(record.status == 200 || record.status == 400 || record.status == 417);
    EXPECT_FALSE(record.aborted) << record.status << record.target;
  }
}

TEST_F(ServerHttp2LimitsTest, UpperCaseNamesAreRefused) {
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin_open("POST", "/echo");
  client.flush();
  const std::string fields = std::string(
      "\x83\x87\x84\x41\x01"
      "a"
      "\x00\x01",
      8);
  client.send(Http2Client::frame(kHeaders, 5, id + 2, fields + "X\x01y"));
  EXPECT_EQ(host.observer.wait(1)[0].status, 400);
  client.send(Http2Client::frame(kHeaders, 5, id + 4, fields + "x\x01y"));
  EXPECT_EQ(host.observer.wait(2)[1].status, 404);
}

TEST_F(ServerHttp2LimitsTest, OversizedHeadsAreRefused) {
  host.options.limits.header_bytes_max = 20'000;
  host.options.limits.header_fields_max = 10;
  host.start();
  EXPECT_EQ(outcome(plain({{"x", std::string(25'000, 'a')}})), 431);
  EXPECT_EQ(outcome(plain({{"x", std::string(19'000, 'a')}})), 200);
  EXPECT_EQ(outcome(plain(Http2Client::Fields(11, {"x", "y"}))), 431);
  EXPECT_EQ(outcome({{":method", "GET"},
                     {":scheme", "https"},
                     {":authority", "a"},
                     {":path", "/" + std::string(17'000, 'a')}}),
            414);
}

TEST_F(ServerHttp2LimitsTest, StreamsAreLimited) {
  host.options.limits.streams_per_connection_max = 2;
  host.start();
  Http2Client client(host.port());
  const std::int32_t first = client.begin("GET", "/gate");
  const std::int32_t second = client.begin("GET", "/gate");
  const std::int32_t third = client.begin("GET", "/gate");
  EXPECT_EQ(client.wait(third).error, kRefusedStream);
  gate.wait_for(2);
  // A stream that was given up holds its place until its job has ended.
  client.reset(first, kCancel);
  EXPECT_EQ(client.wait(client.begin("GET", "/now")).error, kRefusedStream);
  gate.open();
  EXPECT_EQ(client.wait(second).status, 200);
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
}

TEST_F(ServerHttp2LimitsTest, AFullQueueAnswersBusy) {
  host.pool_options = {"test", 1, 1};
  host.start();
  Http2Client client(host.port());
  std::vector<std::int32_t> ids{client.begin("GET", "/gate")};
  client.flush();
  gate.wait_for(1);
  for (int i = 0; i < 3; ++i) {
    ids.push_back(client.begin("GET", "/gate"));
  }
  EXPECT_EQ(client.wait(ids.back()).status, 503);
  EXPECT_EQ(client.answer(ids.back()).header("retry-after"), "1");
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
  gate.open();
  EXPECT_EQ(client.wait(ids[0]).status, 200);
  EXPECT_EQ(client.wait(ids[1]).status, 200);
}

TEST_F(ServerHttp2LimitsTest, ASlowHeadEndsTheConnection) {
  host.options.limits.header_time = milliseconds(50);
  host.start();
  Http2Client silent(host.port());
  silent.read_all();
  EXPECT_TRUE(silent.told_to_go_away());
  Http2Client slow(host.port());
  EXPECT_EQ(slow.fetch("GET", "/now").status, 200);
  slow.send(Http2Client::frame(kHeaders, 0, 3, "\x82"));  // ":method: GET", no END_HEADERS.
  EXPECT_TRUE(is_calmed(slow));
  EXPECT_EQ(host.observer.wait(2)[1].status, 408);
}

TEST_F(ServerHttp2LimitsTest, IdleConnectionsAreClosed) {
  host.options.limits.idle_time = milliseconds(50);
  host.start();
  Http2Client client(host.port());
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
  client.read_all();
  EXPECT_TRUE(client.told_to_go_away());
  EXPECT_EQ(client.go_away_error(), 0U);
}

TEST_F(ServerHttp2LimitsTest, ASlowBodyIsRefused) {
  host.options.limits.body_rate_window = milliseconds(100);
  host.options.limits.body_rate_min_bytes_per_second = 100;
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin_open("POST", "/echo", {{"content-length", "10"}});
  client.append(id, "12345");
  EXPECT_EQ(client.wait(id).status, 408);
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
  EXPECT_FALSE(host.observer.wait(1)[0].aborted);
}

TEST_F(ServerHttp2LimitsTest, AClientThatOpensNoWindowLosesItsStream) {
  host.options.limits.body_rate_window = milliseconds(100);
  host.start();
  Http2Client client(host.port(), {.window = 1000, .reads_slowly = true});
  const std::int32_t id = client.begin("GET", "/big");
  EXPECT_EQ(client.wait(id).error, kCancel);
  EXPECT_EQ(client.answer(id).body.size(), 1000U);
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
  EXPECT_TRUE(host.observer.wait(1)[0].aborted);
}

TEST_F(ServerHttp2LimitsTest, AClientThatDoesNotReadIsDropped) {
  host.options.limits.body_rate_window = milliseconds(100);
  host.start();
  Http2Client client(host.port(), {.window = 1 << 30});
  client.send(Http2Client::frame(8, 0, 0, std::string("\x3f\xff\x00\x00", 4)));  // WINDOW_UPDATE
  client.begin("GET", "/big", {{"user-agent", "sloth"}});
  client.flush();
  const auto records = host.observer.wait(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records[0].aborted);
  EXPECT_EQ(records[0].user_agent, "sloth");
  EXPECT_EQ(records[0].target, "/big");
  EXPECT_LT(records[0].bytes_out, 64U << 20U);
  while (host.server->statistics().connections_open != 0) {
    std::this_thread::yield();
  }
}

TEST_F(ServerHttp2LimitsTest, GatheredBodiesOfOneConnectionAreBounded) {
  host.start();
  Http2Client client(host.port());
  const std::string body(9'000'000, 'x');
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(client.begin_open("POST", "/echo"));
    client.append(ids.back(), body);
  }
  const auto refused = [&] {
    return std::count_if(ids.begin(), ids.end(),
                         [&](std::int32_t id) { return client.answer(id).status == 503; });
  };
  while (refused() == 0) {
    ASSERT_TRUE(client.read());
    client.flush();
  }
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
}

TEST_F(ServerHttp2LimitsTest, RapidResetsAreStopped) {
  host.start();
  Http2Client client(host.port());
  for (int i = 0; i < 1000; ++i) {
    const std::int32_t id = client.begin("GET", "/now");
    client.flush();
    client.reset(id, kCancel);
  }
  EXPECT_TRUE(is_calmed(client));
  EXPECT_TRUE(client.told_to_go_away());
}

TEST_F(ServerHttp2LimitsTest, ResetsThatTheClientProvokesAreStopped) {
  host.start();
  Http2Client client(host.port());
  for (int i = 0; i < 1000; ++i) {
    client.begin_raw(plain({{"connection", "x"}}));
  }
  client.flush();
  EXPECT_TRUE(is_calmed(client));
  EXPECT_TRUE(client.told_to_go_away());
}

TEST_F(ServerHttp2LimitsTest, FloodsOfControlFramesAreStopped) {
  host.start();
  const std::string ping = Http2Client::frame(kPing, 0, 0, "12345678");
  const std::string settings = Http2Client::frame(kSettings, 0, 0, "");
  const std::string priority = Http2Client::frame(kPriority, 0, 5, std::string("\0\0\0\0\0", 5));
  for (const std::string& frame : {ping, settings, priority}) {
    SCOPED_TRACE(static_cast<int>(frame[3]));
    Http2Client client(host.port());
    EXPECT_EQ(client.fetch("GET", "/now").status, 200);
    std::string flood;
    for (int i = 0; i < 3000; ++i) {
      flood += frame;
    }
    client.send(flood);
    EXPECT_TRUE(is_calmed(client));
  }
}

TEST_F(ServerHttp2LimitsTest, FloodsOfEmptyDataAreStopped) {
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin_open("POST", "/echo");
  client.flush();
  std::string flood;
  for (int i = 0; i < 3000; ++i) {
    flood += Http2Client::frame(kData, 0, id, "");
  }
  client.send(flood);
  EXPECT_TRUE(is_calmed(client));
}

TEST_F(ServerHttp2LimitsTest, FloodsOfContinuationsAreStopped) {
  host.start();
  Http2Client client(host.port());
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
  std::string flood = Http2Client::frame(kHeaders, 0, 3, "\x82");
  for (int i = 0; i < 100; ++i) {
    flood += Http2Client::frame(kContinuation, 0, 3, std::string("\x00\x01x\x01y", 5));
  }
  client.send(flood);
  client.read_all();
  EXPECT_EQ(host.server->statistics().requests_refused, 0U);
}

TEST_F(ServerHttp2LimitsTest, AHeaderListThatExpandsIsNotKept) {
  host.start();
  Http2Client client(host.port());
  // One large field into the compression table, then thousands of references to it.
  std::string block = std::string(
      "\x82\x87\x84\x41\x01"
      "a",
      6);
  block += std::string("\x40\x01x\x7f\x81\x1e", 6) + std::string(4000, 'v');
  block += std::string(10'000, '\xbe');
  client.send(Http2Client::frame(kHeaders, 5, 1, block));
  const auto records = host.observer.wait(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].status, 431);
}

TEST_F(ServerHttp2LimitsTest, WhatIsNotHttp2EndsTheConnection) {
  host.start();
  testing::Client client(host.port(), true, "127.0.0.1", "h2");
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_all();
  EXPECT_EQ(testing::Client(host.port(), true).get("/now").status, 200);
}

TEST_F(ServerHttp2LimitsTest, BehindAProxyRequestsOfOneAddressAreLimited) {
  host.options.limits.connections_per_address_max = 1;
  host.options.trusted_proxies = {"127.0.0.1"};
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin("GET", "/gate", {{"x-forwarded-for", "192.0.2.1"}});
  client.flush();
  gate.wait_for(1);
  EXPECT_EQ(client.fetch("GET", "/now", {{"x-forwarded-for", "192.0.2.1"}}).status, 503);
  EXPECT_EQ(client.fetch("GET", "/now", {{"x-forwarded-for", "192.0.2.2"}}).status, 200);
  gate.open();
  EXPECT_EQ(client.wait(id).status, 200);
  EXPECT_EQ(client.fetch("GET", "/now", {{"x-forwarded-for", "192.0.2.1"}}).status, 200);
}

}  // namespace
}  // namespace roadstead::http
