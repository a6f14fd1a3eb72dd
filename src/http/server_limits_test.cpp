#include <chrono>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "http/server.h"
#include "http/testing/client.h"
#include "http/testing/logged_sink.h"
#include "http/testing/test_server.h"

namespace roadstead::http {
namespace {

using std::chrono::milliseconds;
using testing::Answer;
using testing::Client;
using testing::fetch;
using testing::Gate;
using testing::TestServer;

class ServerLimitsTest : public ::testing::Test {
 protected:
  ServerLimitsTest() {
    host.application["/now"].on_try_now = [](const Request&, Context&) { return Response(200); };
    host.application["/gate"].on_handle = [this](const Request&, Context&) {
      gate.enter();
      return Response(200);
    };
    auto& echo = host.application["/echo"];
    echo.mode = BodyMode::kBuffered;
    echo.max = 1000;
    echo.on_handle = [](const Request&, Context&) { return Response(200); };
  }
  ~ServerLimitsTest() override { gate.open(); }

  Gate gate;
  TestServer host;
};

TEST_F(ServerLimitsTest, ASlowHeadIsRefused) {
  host.options.limits.header_time = milliseconds(50);
  host.start();
  Client slow(host.port());
  slow.send("GET /now HTTP/1.1\r\nHost: a\r\nX-");
  EXPECT_EQ(slow.receive().status, 408);
  EXPECT_EQ(host.observer.wait(1)[0].status, 408);
  Client silent(host.port());
  EXPECT_TRUE(silent.closed_by_server());
  Client second(host.port());
  EXPECT_EQ(second.get("/now").status, 200);
  second.send("G");
  EXPECT_EQ(second.receive().status, 408);
}

TEST_F(ServerLimitsTest, IdleConnectionsAreClosed) {
  host.options.limits.idle_time = milliseconds(50);
  host.start();
  Client client(host.port());
  EXPECT_EQ(client.get("/now").status, 200);
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_EQ(host.observer.wait(1).size(), 1U);
}

TEST_F(ServerLimitsTest, ASlowBodyIsRefused) {
  host.options.limits.body_rate_window = milliseconds(100);
  host.options.limits.body_rate_min_bytes_per_second = 100;
  host.start();
  Client client(host.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
  EXPECT_EQ(client.receive().status, 408);
  EXPECT_FALSE(host.observer.wait(1)[0].aborted);
}

TEST_F(ServerLimitsTest, AClientThatDoesNotReadIsDropped) {
  host.options.limits.body_rate_window = milliseconds(100);
  host.application["/big"].on_try_now = [](const Request&, Context&) {
    Response response;
    response.set_body(std::string(64U << 20U, 'x'), "text/plain");
    return response;
  };
  host.start();
  Client client(host.port());
  client.send("GET /big HTTP/1.1\r\nHost: a\r\nUser-Agent: sloth\r\n\r\n");
  const auto records = host.observer.wait(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records[0].aborted);
  EXPECT_EQ(records[0].target, "/big");
  EXPECT_EQ(records[0].user_agent, "sloth");
  EXPECT_EQ(records[0].client_address, "127.0.0.1");
  EXPECT_LT(records[0].bytes_out, 64U << 20U);
}

TEST_F(ServerLimitsTest, OversizedHeadsAreRefused) {
  host.options.limits.header_bytes_max = 20'000;
  host.options.limits.header_fields_max = 10;
  host.start();
  EXPECT_EQ(fetch(host.port(), "GET", "/now", "X: " + std::string(25'000, 'a') + "\r\n").status,
            431);
  EXPECT_EQ(fetch(host.port(), "GET", "/now", "X: " + std::string(19'000, 'a') + "\r\n").status,
            200);
  EXPECT_EQ(fetch(host.port(), "GET", "/" + std::string(17'000, 'a')).status, 414);
  std::string many;
  for (int i = 0; i < 10; ++i) {
    many += "X: y\r\n";
  }
  EXPECT_EQ(fetch(host.port(), "GET", "/now", many).status, 431);
}

TEST_F(ServerLimitsTest, AFullQueueAnswersBusyAndKeepsTheConnection) {
  host.pool_options = {"test", 1, 1};
  host.start();
  Client first(host.port());
  first.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  gate.wait_for(1);
  // One more fits into the queue; which of the others that is does not matter.
  std::vector<Client> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back(host.port());
    others.back().send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  const auto records = host.observer.wait(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].status, 503);
  EXPECT_EQ(records[0].endpoint, "");
  EXPECT_EQ(host.server->statistics().requests_refused, 2U);
  EXPECT_EQ(fetch(host.port(), "GET", "/now").status, 200);
  gate.open();
  int good = 0;
  for (Client& other : others) {
    const Answer answer = other.receive();
    if (answer.status == 200) {
      ++good;
    } else {
      EXPECT_EQ(answer.status, 503);
      EXPECT_EQ(answer.header("Retry-After"), "1");
      EXPECT_EQ(other.get("/now").status, 200);
    }
  }
  EXPECT_EQ(good, 1);
  EXPECT_EQ(first.receive().status, 200);
}

TEST_F(ServerLimitsTest, OneClientLeavesRoomInTheQueueForOthers) {
  constexpr int kFlood = 100;
  host.pool_options = {"test", 1, 100};
  host.options.trusted_proxies = {"127.0.0.1"};
  host.options.io_threads = 1;
  host.start();
  Client first(host.port());
  first.send("GET /gate HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
  gate.wait_for(1);
  std::vector<Client> flood;
  for (int i = 0; i < kFlood; ++i) {
    flood.emplace_back(host.port());
    flood.back().send("GET /gate HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
  }
  EXPECT_EQ(host.observer.wait(kFlood / 2).size(), kFlood / 2U);
  Client polite(host.port());
  polite.send("GET /gate HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n");
  gate.open();
  EXPECT_EQ(polite.receive().status, 200);
  int good = 0;
  for (Client& client : flood) {
    const Answer answer = client.receive();
    good += answer.status == 200 ? 1 : 0;
    EXPECT_TRUE(answer.status == 200 || answer.header("Retry-After") == "1");
  }
  EXPECT_EQ(good, kFlood / 2);
  EXPECT_EQ(first.receive().status, 200);
  // Nothing is left of the flood: its client may fill half of the queue again.
  EXPECT_EQ(fetch(host.port(), "GET", "/gate", "X-Forwarded-For: 192.0.2.1\r\n").status, 200);
}

TEST_F(ServerLimitsTest, ALateLoopStillAnswersInPlaceWhileThePoolIsBusy) {
  host.pool_options = {"test", 1, 100};
  host.options.io_threads = 1;
  std::optional<Client> late;
  host.application["/slow"].on_try_now = [&](const Request&, Context&) {
    late->send("GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    // Makes the loop late for what was just sent.
    const auto end = std::chrono::steady_clock::now() + milliseconds(50);
    while (std::chrono::steady_clock::now() < end) {
    }
    return Response(200);
  };
  host.start();
  late.emplace(host.port());
  EXPECT_EQ(late->get("/now").status, 200);
  Client running(host.port());
  running.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  gate.wait_for(1);
  Client waiting(host.port());
  waiting.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  while (host.pool->queued() == 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(fetch(host.port(), "GET", "/slow").status, 200);
  EXPECT_EQ(late->receive().status, 200);  // Although the pool does nothing yet.
  gate.open();
  EXPECT_EQ(waiting.receive().status, 200);
  EXPECT_EQ(running.receive().status, 200);
}

TEST_F(ServerLimitsTest, ConnectionsAreLimited) {
  host.options.limits.connections_max = 2;
  host.start();
  Client first(host.port());
  EXPECT_EQ(first.get("/now").status, 200);
  Client second(host.port());
  EXPECT_EQ(second.get("/now").status, 200);
  Client third(host.port());
  EXPECT_EQ(third.receive().status, 503);
  EXPECT_EQ(first.get("/now").status, 200);
  EXPECT_EQ(host.server->statistics().connections_open, 2U);
}

TEST_F(ServerLimitsTest, ConnectionsOfOneAddressAreLimited) {
  host.options.limits.connections_per_address_max = 1;
  host.start();
  {
    Client first(host.port());
    EXPECT_EQ(first.get("/now").status, 200);
    EXPECT_EQ(Client(host.port()).receive().status, 503);
    EXPECT_EQ(first.get("/now", "Connection: close\r\n").status, 200);
    EXPECT_TRUE(first.closed_by_server());
  }
  while (host.server->statistics().connections_open != 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(fetch(host.port(), "GET", "/now").status, 200);
}

TEST_F(ServerLimitsTest, BehindAProxyRequestsOfOneAddressAreLimited) {
  host.options.limits.connections_per_address_max = 1;
  host.options.trusted_proxies = {"127.0.0.1"};
  host.start();
  Client first(host.port());
  first.send("GET /gate HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
  gate.wait_for(1);
  EXPECT_EQ(fetch(host.port(), "GET", "/now", "X-Forwarded-For: 192.0.2.1\r\n").status, 503);
  EXPECT_EQ(fetch(host.port(), "GET", "/now", "X-Forwarded-For: 192.0.2.2\r\n").status, 200);
  gate.open();
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(fetch(host.port(), "GET", "/now", "X-Forwarded-For: 192.0.2.1\r\n").status, 200);
}

TEST_F(ServerLimitsTest, DrainAnswersWhatRunsAndClosesWhatIsIdle) {
  host.start();
  const std::uint16_t port = host.port();
  Client idle(port);
  EXPECT_EQ(idle.get("/now").status, 200);
  Client busy(port);
  busy.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  gate.wait_for(1);
  EXPECT_FALSE(host.server->drain(milliseconds(10)));
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_FALSE(Client(port).connected());
  gate.open();
  const Answer answer = busy.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(host.server->drain(milliseconds(20'000)));
}

TEST_F(ServerLimitsTest, StoppingWaitsForHandlersAndReportsThem) {
  host.start();
  Client client(host.port());
  client.send("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
  gate.wait_for(1);
  std::thread opener([&] {
    EXPECT_TRUE(client.closed_by_server());
    gate.open();
  });
  host.stop();
  opener.join();
  const auto records = host.observer.wait(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records[0].aborted);
}

TEST_F(ServerLimitsTest, APortInUseIsNamed) {
  host.start();
  ServerOptions options = host.options;
  options.listen = {{"127.0.0.1", host.port(), false}};
  SystemClock clock;
  log::Sink sink(-1, log::Format::kText, log::Level::kError, clock);
  auto started =
      Server::start(options, host.application, host.observer, *host.pool, log::Logger(sink));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find(std::to_string(host.port())), std::string::npos);
}

}  // namespace
}  // namespace roadstead::http
