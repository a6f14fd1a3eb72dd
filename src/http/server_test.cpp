#include "http/server.h"

#include <unistd.h>

#include <cstring>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "http/testing/client.h"
#include "http/testing/test_server.h"
#include "sys/file.h"

namespace roadstead::http {
namespace {

using testing::Answer;
using testing::Client;
using testing::fetch;
using testing::Record;
using testing::TestServer;

Response text(std::string body, int status = 200) {
  Response response(status);
  response.set_body(std::move(body), "text/plain");
  return response;
}

std::string pattern(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  return bytes;
}

/// A file that is gone once its descriptor is closed.
std::shared_ptr<const sys::File> file_with(std::string_view bytes) {
  const auto path =
      std::filesystem::temp_directory_path() / ("roadstead-http-" + std::to_string(::getpid()) +
                                                "-" + std::to_string(std::random_device()()));
  auto file = sys::File::open(path, sys::File::Mode::kCreateNew).value();
  file.write_at(0, std::as_bytes(std::span(bytes.data(), bytes.size()))).value();
  std::filesystem::remove(path);
  return std::make_shared<const sys::File>(std::move(file));
}

class PatternSource final : public BodySource {
 public:
  PatternSource(std::string bytes, std::atomic<int>& alive, std::uint64_t fails_at = UINT64_MAX)
      : bytes_(std::move(bytes)), alive_(alive), fails_at_(fails_at) {
    ++alive_;
  }
  ~PatternSource() override { --alive_; }
  [[nodiscard]] std::uint64_t length() const override { return bytes_.size(); }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= fails_at_) {
      return Error{Code::kUnavailable, Subject::kStorage, "gone", {}};
    }
    const std::size_t size = std::min<std::uint64_t>(into.size(), bytes_.size() - offset);
    std::memcpy(into.data(), bytes_.data() + offset, size);
    return size;
  }

 private:
  std::string bytes_;
  std::atomic<int>& alive_;
  std::uint64_t fails_at_;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    host.application["/now"].on_try_now = [](const Request&, Context& context) {
      context.identity = "user:alice";
      return text("now");
    };
    host.application["/pool"].on_handle = [](const Request& request, Context&) {
      return text("pool " + std::string(request.query));
    };
    auto& echo = host.application["/echo"];
    echo.mode = BodyMode::kBuffered;
    echo.max = 1000;
    echo.on_try_now = [](const Request& request, Context&) {
      return text(std::string(request.body));
    };
  }

  TestServer host;
  std::atomic<int> sources{0};
};

TEST_F(ServerTest, AnswersInPlaceAndFromThePool) {
  host.start();
  Client client(host.port());
  const Answer now = client.get("/now", "User-Agent: probe\r\n");
  EXPECT_EQ(now.status, 200);
  EXPECT_EQ(now.body, "now");
  EXPECT_EQ(now.header("Content-Type"), "text/plain");
  EXPECT_EQ(now.header("Content-Length"), "3");
  EXPECT_EQ(now.header("Date").size(), 29U);
  EXPECT_EQ(now.header("X-Request-Id").size(), 32U);
  EXPECT_FALSE(now.has("Server"));
  EXPECT_FALSE(now.has("Connection"));
  const Answer pool = client.get("/pool?a=b");
  EXPECT_EQ(pool.body, "pool a=b");
  EXPECT_NE(pool.header("X-Request-Id"), now.header("X-Request-Id"));

  const auto records = host.observer.wait(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].method, "GET");
  EXPECT_EQ(records[0].target, "/now");
  EXPECT_EQ(records[0].endpoint, "/now");
  EXPECT_EQ(records[0].identity, "user:alice");
  EXPECT_EQ(records[0].user_agent, "probe");
  EXPECT_EQ(records[0].client_address, "127.0.0.1");
  EXPECT_EQ(records[0].request_id, now.header("X-Request-Id"));
  EXPECT_EQ(records[0].bytes_out, 3U);
  EXPECT_EQ(records[1].target, "/pool?a=b");
  EXPECT_EQ(host.server->statistics().connections_accepted, 1U);
}

TEST_F(ServerTest, EchoesAWellFormedRequestId) {
  host.start();
  Client client(host.port());
  EXPECT_EQ(client.get("/now", "X-Request-Id: a.B_9-z\r\n").header("X-Request-Id"), "a.B_9-z");
  for (const std::string& bad : {std::string("a b"), std::string("\"x\""), std::string(129, 'a')}) {
    const Answer answer = client.get("/now", "X-Request-Id: " + bad + "\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("X-Request-Id").size(), 32U);
  }
}

TEST_F(ServerTest, ClosesWhenAsked) {
  host.start();
  Client client(host.port());
  EXPECT_EQ(client.get("/now", "Connection: close\r\n").header("Connection"), "close");
  EXPECT_TRUE(client.closed_by_server());
  Client old(host.port());
  old.send("GET /now HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().body, "now");
  EXPECT_TRUE(old.closed_by_server());
}

TEST_F(ServerTest, AHalfClosedClientGetsItsAnswer) {
  host.start();
  Client client(host.port());
  client.send("GET /pool?x HTTP/1.1\r\nHost: a\r\n\r\n");
  client.shutdown_write();
  EXPECT_EQ(client.receive().body, "pool x");
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  host.start();
  Client client(host.port());
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    const bool pool = i % 3 == 0;
    requests += std::string("GET ") + (pool ? "/pool" : "/now") + "?" + std::to_string(i) +
                " HTTP/1.1\r\nHost: a\r\n\r\n";
    requests += "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n" +
                std::to_string(i % 90 + 10) + "\r\n0\r\n\r\n";
  }
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(client.receive().body, i % 3 == 0 ? "pool " + std::to_string(i) : "now");
    ASSERT_EQ(client.receive().body, std::to_string(i % 90 + 10));
  }
  sender.join();
  EXPECT_EQ(host.observer.wait(200).size(), 200U);
}

/// A whole exchange must not depend on how its bytes arrive.
TEST_F(ServerTest, EverySplitOfARequestWorks) {
  host.start();
  const std::string first = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  const std::string second =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const std::string both = first + second;
  Client client(host.port());
  for (std::size_t cut = 1; cut < both.size(); ++cut) {
    client.send(std::string_view(both).substr(0, cut));
    // The answer to the first request shows that the server has read that far.
    const bool answered = cut >= first.size();
    if (answered) {
      ASSERT_EQ(client.receive().body, "hello") << cut;
    }
    client.send(std::string_view(both).substr(cut));
    if (!answered) {
      ASSERT_EQ(client.receive().body, "hello") << cut;
    }
    ASSERT_EQ(client.receive().body, "abc") << cut;
  }
}

TEST_F(ServerTest, HeadHasTheHeadersOfGet) {
  host.application["/length"].on_try_now = [](const Request&, Context&) {
    Response response;
    response.set_length_only(12345, "a/b").set_etag("\"t\"");
    return response;
  };
  host.start();
  Client client(host.port());
  const Answer head = client.request("HEAD", "/now");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "3");
  EXPECT_EQ(client.request("HEAD", "/length").header("Content-Length"), "12345");
  EXPECT_EQ(client.request("HEAD", "/length", "If-None-Match: \"t\"\r\n").status, 304);
  EXPECT_EQ(client.get("/now").body, "now");  // Nothing was left over.
}

TEST_F(ServerTest, ConditionsAndRanges) {
  host.application["/ranged"].on_try_now = [](const Request&, Context&) {
    Response response = text("0123456789");
    response.set_etag("\"t\"").allow_ranges();
    return response;
  };
  host.start();
  Client client(host.port());
  const Answer same = client.get("/ranged", "If-None-Match: W/\"t\"\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.header("ETag"), "\"t\"");
  EXPECT_FALSE(same.has("Content-Length"));
  const Answer part = client.get("/ranged", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(client.get("/ranged", "Range: bytes=-1\r\n").body, "9");
  EXPECT_EQ(client.get("/ranged", "Range: bytes=0-1,3-4\r\n").body, "0123456789");
  EXPECT_EQ(client.get("/ranged", "Range: bytes=1-\r\nIf-Range: \"old\"\r\n").status, 200);
  const Answer beyond = client.get("/ranged", "Range: bytes=10-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("Content-Range"), "bytes */10");
  EXPECT_EQ(client.get("/now", "Range: bytes=0-0\r\n").status, 200);
}

TEST_F(ServerTest, SomeAnswersHaveNoBody) {
  host.application["/empty"].on_try_now = [](const Request&, Context&) { return Response(204); };
  host.application["/moved"].on_try_now = [](const Request&, Context&) {
    Response response(307);
    response.add_header("Location", "/now");
    return response;
  };
  host.start();
  Client client(host.port());
  const Answer empty = client.request("DELETE", "/empty");
  EXPECT_EQ(empty.status, 204);
  EXPECT_FALSE(empty.has("Content-Length"));
  EXPECT_EQ(client.get("/moved").header("Content-Length"), "0");
  EXPECT_EQ(client.request("BREW", "/missing").status, 404);
}

TEST_F(ServerTest, FilesArriveByteForByte) {
  const std::string bytes = pattern(9'000'001);
  const auto file = file_with(bytes);
  host.application["/file"].on_try_now = [&](const Request&, Context&) {
    Response response;
    response.set_body(FileRegion{file, 1, 9'000'000}, "a/b").allow_ranges();
    return response;
  };
  host.start();
  Client client(host.port());
  EXPECT_TRUE(client.get("/file").body == std::string_view(bytes).substr(1));
  EXPECT_TRUE(client.get("/file", "Range: bytes=3000000-7000000\r\n").body ==
              std::string_view(bytes).substr(3'000'001, 4'000'001));
  EXPECT_EQ(client.request("HEAD", "/file").header("Content-Length"), "9000000");
  EXPECT_EQ(host.observer.wait(3)[0].bytes_out, 9'000'000U);
}

TEST_F(ServerTest, AFileShorterThanPromisedIsAnAbortNotAWholeAnswer) {
  const auto file = file_with(pattern(100'000));
  host.application["/file"].on_try_now = [&](const Request&, Context&) {
    Response response;
    response.set_body(FileRegion{file, 0, 100'001}, "a/b");
    return response;
  };
  host.start();
  Client client(host.port());
  EXPECT_EQ(client.get("/file").status, 0);
  EXPECT_TRUE(host.observer.wait(1)[0].aborted);
}

TEST_F(ServerTest, SourcesArePulledWhileTheyAreSent) {
  const std::string bytes = pattern(1'500'000);
  host.application["/source"].on_handle = [&](const Request&, Context&) {
    Response response;
    response.set_body(std::make_unique<PatternSource>(bytes, sources), "a/b").allow_ranges();
    return response;
  };
  host.application["/broken"].on_handle = [&](const Request&, Context&) {
    Response response;
    response.set_body(std::make_unique<PatternSource>(bytes, sources, 300'000), "a/b");
    return response;
  };
  host.start();
  Client client(host.port());
  EXPECT_TRUE(client.get("/source").body == bytes);
  EXPECT_TRUE(client.get("/source", "Range: bytes=700000-\r\n").body ==
              std::string_view(bytes).substr(700'000));
  EXPECT_EQ(client.request("HEAD", "/source").header("Content-Length"), "1500000");
  EXPECT_EQ(client.get("/broken").status, 0);
  host.stop();
  host.pool.reset();
  EXPECT_EQ(sources, 0);
}

TEST_F(ServerTest, BigStringsGoOutWholeToASlowReader) {
  const std::string bytes = pattern(12'000'000);
  host.application["/big"].on_try_now = [&](const Request&, Context&) { return text(bytes); };
  host.start();
  Client client(host.port());
  client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string received;
  while (received.size() < bytes.size()) {
    const auto piece = client.read_some(1000);
    ASSERT_TRUE(piece);
    received += *piece;
  }
  const std::size_t start = received.find("\r\n\r\n") + 4;
  while (received.size() < start + bytes.size() + 20) {
    received += client.read_some().value_or("?");
  }
  EXPECT_TRUE(received.substr(start, bytes.size()) == bytes);
  EXPECT_EQ(received.substr(start + bytes.size(), 15), "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, RefusesMalformedRequestsAndCloses) {
  host.start();
  Client client(host.port());
  client.send("GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "/x: more than one Content-Length");
  EXPECT_EQ(answer.header("Connection"), "close");
  client.shutdown_write();
  EXPECT_TRUE(client.closed_by_server());
  const Record record = host.observer.wait(1)[0];
  EXPECT_EQ(record.status, 400);
  EXPECT_EQ(record.endpoint, "");
  EXPECT_EQ(record.target, "/x");
  EXPECT_EQ(host.server->statistics().requests_refused, 1U);
}

TEST_F(ServerTest, ThrowingHandlersAreInternalErrors) {
  host.application["/throw"].on_handle = [](const Request&, Context&) -> Response {
    throw std::runtime_error("secret");
  };
  host.application["/throw-now"].on_try_now = [](const Request&,
                                                 Context&) -> std::optional<Response> {
    throw std::runtime_error("secret");
  };
  host.start();
  Client client(host.port());
  for (const char* path : {"/throw", "/throw-now"}) {
    const Answer answer = client.get(path);
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  }
  EXPECT_EQ(client.get("/now").status, 200);
}

TEST_F(ServerTest, TrustedProxiesSpeakForTheirClients) {
  host.application["/who"].on_try_now = [](const Request& request, Context&) {
    return text(std::string(request.client_address) + " " + std::string(request.scheme) + " " +
                std::string(request.host));
  };
  const std::string forwarded =
      "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: r.example\r\n";
  {
    TestServer direct;
    direct.application["/who"].on_try_now = host.application["/who"].on_try_now;
    direct.start();
    EXPECT_EQ(fetch(direct.port(), "GET", "/who", forwarded).body, "127.0.0.1 http test");
  }
  host.options.trusted_proxies = {"127.0.0.0/8"};
  host.start();
  EXPECT_EQ(fetch(host.port(), "GET", "/who", forwarded).body, "192.0.2.1 https r.example");
  EXPECT_EQ(host.observer.wait(1)[0].client_address, "192.0.2.1");
}

TEST_F(ServerTest, ManyClientsOnSeveralLoops) {
  host.options.io_threads = 3;
  const std::string bytes = pattern(300'000);
  const auto file = file_with(bytes);
  host.application["/file"].on_try_now = [&](const Request&, Context&) {
    Response response;
    response.set_body(FileRegion{file, 0, bytes.size()}, "a/b");
    return response;
  };
  host.start();
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        Client client(host.port());
        for (int i = 0; i < 10; ++i) {
          good += client.get("/now").body == "now" ? 1 : 0;
          good += client.get("/pool").body == "pool " ? 1 : 0;
          good += client.request("POST", "/echo", "", "abc").body == "abc" ? 1 : 0;
        }
        good += client.get("/file").body == bytes ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(good, 1240);
  EXPECT_EQ(host.observer.wait(1240).size(), 1240U);
}

}  // namespace
}  // namespace roadstead::http
