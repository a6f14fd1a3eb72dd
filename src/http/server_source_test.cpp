#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "http/testing/client.h"
#include "http/testing/http2_client.h"
#include "http/testing/logged_sink.h"
#include "http/testing/test_server.h"

namespace roadstead::http {
namespace {

using std::chrono::milliseconds;
using testing::Client;
using testing::Gate;
using testing::Http2Client;
using testing::TestServer;

constexpr std::uint64_t kSize = 64U << 20U;

/// Waits at a gate, or fails, from some byte on.
class Source final : public BodySource {
 public:
  struct Script {
    std::atomic<int> alive{0};
    std::atomic<std::uint64_t> bytes{0};
    Gate* gate = nullptr;
    std::uint64_t gate_at = 1;
    std::uint64_t fails_at = UINT64_MAX;
  };
  explicit Source(Script& script) : script_(script) { ++script_.alive; }
  ~Source() override { --script_.alive; }
  [[nodiscard]] std::uint64_t length() const override { return kSize; }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= script_.gate_at && script_.gate != nullptr) {
      script_.gate->enter();
    }
    if (offset >= script_.fails_at) {
      return Error{Code::kUnavailable, Subject::kStorage, "gone", {}};
    }
    const std::size_t size = std::min<std::uint64_t>(into.size(), kSize - offset);
    std::memset(into.data(), 'x', size);
    script_.bytes += size;
    return size;
  }

 private:
  Script& script_;
};

class ServerSourceTest : public ::testing::Test {
 protected:
  ServerSourceTest() {
    host.application["/source"].on_handle = [this](const Request&, Context&) {
      Response response;
      response.set_body(std::make_unique<Source>(script), "a/b");
      return response;
    };
  }
  ~ServerSourceTest() override { gate.open(); }

  /// Whether the server gives up what it held of a download.
  void expect_freed() {
    const auto records = host.observer.wait(1);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_TRUE(records[0].aborted);
    EXPECT_LT(records[0].bytes_out, kSize);
    host.stop();
    host.pool.reset();
    EXPECT_EQ(script.alive, 0);
  }

  Gate gate;
  Source::Script script;
  TestServer host;
};

TEST_F(ServerSourceTest, AClientMayLeaveWhileTheNextPieceIsLoaded) {
  script.gate = &gate;
  host.start();
  Client client(host.port());
  client.send("GET /source HTTP/1.1\r\nHost: a\r\n\r\n");
  gate.wait_for(1);
  EXPECT_TRUE(client.read_some(1000)) << "the first piece is sent meanwhile";
  client.reset();
  gate.open();
  expect_freed();
}

TEST_F(ServerSourceTest, AStreamMayBeResetWhileTheNextPieceIsLoaded) {
  script.gate = &gate;
  host.listen_tls();
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin("GET", "/source");
  EXPECT_EQ(client.wait_for_head(id).status, 200);
  gate.wait_for(1);
  client.reset(id, 8);
  client.flush();
  gate.open();
  expect_freed();
}

TEST_F(ServerSourceTest, WhatCameBeforeAFailureIsSent) {
  script.fails_at = 1;
  host.start();
  Client client(host.port());
  client.send("GET /source HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string all = client.read_all();
  EXPECT_EQ(std::count(all.begin(), all.end(), 'x'), static_cast<std::ptrdiff_t>(script.bytes));
  expect_freed();
}

TEST_F(ServerSourceTest, AClientThatDoesNotReadIsDroppedAndCostsTwoPieces) {
  host.options.limits.body_rate_window = milliseconds(100);
  host.start();
  Client client(host.port());
  client.send("GET /source HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto records = host.observer.wait(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_LE(script.bytes, records[0].bytes_out + (1U << 20U));
  expect_freed();
}

TEST_F(ServerSourceTest, ASlowSourceIsNotTheFaultOfTheClient) {
  host.options.limits.body_rate_window = milliseconds(500);
  script.gate = &gate;
  script.gate_at = kSize / 2;
  auto& echo = host.application["/echo"];
  echo.mode = BodyMode::kBuffered;
  echo.max = 1000;
  host.start();
  Client client(host.port());
  client.send("GET /source HTTP/1.1\r\nHost: a\r\n\r\n");
  std::uint64_t received = 0;
  const auto receive = [&](std::uint64_t wanted) {
    while (received < wanted) {
      const auto piece = client.read_some();
      ASSERT_TRUE(piece) << "cut off at " << received;
      received += std::count(piece->begin(), piece->end(), 'x');
    }
  };
  receive(kSize / 2);  // So much that the socket was full at some time.
  ASSERT_FALSE(HasFatalFailure());
  gate.wait_for(1);
  for (int i = 0; i < 2; ++i) {
    Client slow(host.port());
    slow.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    EXPECT_EQ(slow.receive().status, 408) << "the same clock drops who is slow";
  }
  gate.open();
  receive(kSize);
}

}  // namespace
}  // namespace roadstead::http
