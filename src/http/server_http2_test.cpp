#include <unistd.h>

#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "http/server.h"
#include "http/testing/client.h"
#include "http/testing/http2_client.h"
#include "http/testing/logged_sink.h"
#include "http/testing/test_server.h"
#include "sys/file.h"

namespace roadstead::http {
namespace {

using testing::Client;
using testing::Gate;
using testing::Http2Answer;
using testing::Http2Client;
using testing::TestServer;

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>(i * 2'654'435'761U >> 13U);
  }
  return bytes;
}

Response text(std::string body) {
  Response response;
  response.set_body(std::move(body), "text/plain");
  return response;
}

class StringSource final : public BodySource {
 public:
  StringSource(std::string bytes, std::uint64_t fails_at)
      : bytes_(std::move(bytes)), fails_at_(fails_at) {}
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
  std::uint64_t fails_at_;
};

class ServerHttp2Test : public ::testing::Test {
 protected:
  ServerHttp2Test() : big_(pattern(3'000'000)) {
    host.listen_tls();
    host.application["/now"].on_try_now = [](const Request& request, Context& context) {
      context.identity = "user:alice";
      Response response = text("now");
      response.add_header("X-Seen", std::string(request.scheme) + "|" + std::string(request.host) +
                                        "|" + std::string(request.header("x-one").value_or("")));
      response.set_etag("\"e\"").allow_ranges();
      return response;
    };
    host.application["/handle"].on_handle = [](const Request&, Context&) { return text("later"); };
    host.application["/gate"].on_handle = [this](const Request&, Context&) {
      gate.enter();
      return text("gate");
    };
    host.application["/throws"].on_handle = [](const Request&, Context&) -> Response {
      throw std::runtime_error("oops");
    };
    const auto path = host.folder() / "big";
    auto file = sys::File::open(path, sys::File::Mode::kCreateNew).value();
    file.write_at(0, std::as_bytes(std::span(big_))).value();
    file_ = std::make_shared<const sys::File>(std::move(file));
    host.application["/file"].on_try_now = [this](const Request&, Context&) {
      Response response;
      response.set_body(FileRegion{file_, 0, big_.size()}, "a/b").set_etag("\"f\"").allow_ranges();
      return response;
    };
    host.application["/text"].on_try_now = [this](const Request&, Context&) { return text(big_); };
    host.application["/source"].on_handle = [this](const Request&, Context&) {
      Response response;
      response.set_body(std::make_unique<StringSource>(big_, source_fails_at), "a/b");
      return response;
    };
  }
  ~ServerHttp2Test() override { gate.open(); }

  std::string big_;
  std::shared_ptr<const sys::File> file_;
  std::uint64_t source_fails_at = UINT64_MAX;
  Gate gate;
  TestServer host;
};

TEST_F(ServerHttp2Test, AlpnDecides) {
  host.start();
  EXPECT_EQ(Client(host.port(), true, "127.0.0.1", "h2,http/1.1").protocol(), "h2");
  EXPECT_EQ(Client(host.port(), true, "127.0.0.1", "http/1.1,h2").protocol(), "h2");
  Client old(host.port(), true, "127.0.0.1", "http/1.1");
  EXPECT_EQ(old.protocol(), "http/1.1");
  EXPECT_EQ(old.get("/now").body, "now");
  Client none(host.port(), true);
  EXPECT_EQ(none.protocol(), "");
  EXPECT_EQ(none.get("/now").body, "now");
}

TEST_F(ServerHttp2Test, CanBeTurnedOff) {
  host.options.http2 = false;
  host.start();
  Client client(host.port(), true, "127.0.0.1", "h2,http/1.1");
  EXPECT_EQ(client.protocol(), "http/1.1");
  EXPECT_EQ(client.get("/now").body, "now");
}

TEST_F(ServerHttp2Test, AnswersAndReportsOnce) {
  host.start();
  Http2Client client(host.port());
  ASSERT_TRUE(client.connected());
  const Http2Answer answer = client.fetch(
      "GET", "/now?q=1", {{"x-one", "1"}, {"user-agent", "me"}, {"x-request-id", "id-1"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "now");
  EXPECT_EQ(answer.header("x-seen"), "https|test|1");
  EXPECT_EQ(answer.header("content-length"), "3");
  EXPECT_EQ(answer.header("content-type"), "text/plain");
  EXPECT_EQ(answer.header("x-request-id"), "id-1");
  EXPECT_NE(answer.header("date"), "");
  EXPECT_EQ(answer.header("connection"), "");
  const auto records = host.observer.wait(1);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].request_id, "id-1");
  EXPECT_EQ(records[0].method, "GET");
  EXPECT_EQ(records[0].target, "/now?q=1");
  EXPECT_EQ(records[0].endpoint, "/now");
  EXPECT_EQ(records[0].user_agent, "me");
  EXPECT_EQ(records[0].identity, "user:alice");
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[0].bytes_out, 3U);
  EXPECT_FALSE(records[0].aborted);
}

TEST_F(ServerHttp2Test, HeadRangesAndConditionsAsInHttp1) {
  host.start();
  Http2Client client(host.port());
  const Http2Answer head = client.fetch("HEAD", "/now");
  EXPECT_EQ(head.header("content-length"), "3");
  EXPECT_EQ(head.body, "");
  const Http2Answer same = client.fetch("GET", "/now", {{"if-none-match", "\"e\""}});
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  const Http2Answer part = client.fetch("GET", "/file", {{"range", "bytes=1000000-1999999"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.header("content-range"), "bytes 1000000-1999999/3000000");
  EXPECT_TRUE(part.body == big_.substr(1'000'000, 1'000'000));
  const Http2Answer all = client.fetch("GET", "/now", {{"range", "bytes=0-2"}});
  EXPECT_EQ(all.header("content-range"), "bytes 0-2/3");
  const Http2Answer beyond = client.fetch("GET", "/file", {{"range", "bytes=3000000-"}});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("content-range"), "bytes */3000000");
  EXPECT_EQ(client.fetch("GET", "/missing").status, 404);
  EXPECT_EQ(client.fetch("GET", "/throws").status, 500);
  EXPECT_EQ(client.fetch("GET", "/handle").body, "later");
}

TEST_F(ServerHttp2Test, EveryKindOfBodyArrivesWhole) {
  host.start();
  for (const std::int32_t window : {0, 1000, 5'000'000}) {
    Http2Client client(host.port(), {.window = window});
    for (const char* path : {"/file", "/text", "/source"}) {
      const Http2Answer answer = client.fetch("GET", path);
      EXPECT_TRUE(answer.body == big_) << path << " " << window << " " << answer.body.size();
      EXPECT_TRUE(answer.ended);
    }
  }
  EXPECT_EQ(host.observer.wait(9)[8].bytes_out, big_.size());
}

TEST_F(ServerHttp2Test, ManyStreamsShareOneConnection) {
  host.start();
  Http2Client client(host.port());
  std::vector<std::int32_t> files;
  std::vector<std::int32_t> small;
  for (int i = 0; i < 20; ++i) {
    files.push_back(client.begin("GET", i % 2 == 0 ? "/file" : "/source"));
    small.push_back(client.begin("GET", i % 2 == 0 ? "/now" : "/handle"));
  }
  for (const std::int32_t id : small) {
    EXPECT_EQ(client.wait(id).status, 200);
  }
  EXPECT_FALSE(client.answer(files.back()).closed);  // Small answers do not wait for large ones.
  for (const std::int32_t id : files) {
    EXPECT_TRUE(client.wait(id).body == big_);
  }
  EXPECT_EQ(host.observer.wait(40).size(), 40U);
  EXPECT_EQ(host.server->statistics().connections_accepted, 1U);
}

TEST_F(ServerHttp2Test, AFailingSourceResetsOneStream) {
  source_fails_at = 1'000'000;
  host.start();
  Http2Client client(host.port());
  const Http2Answer answer = client.fetch("GET", "/source");
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.ended);
  EXPECT_EQ(answer.error, 2U);  // INTERNAL_ERROR
  EXPECT_TRUE(host.observer.wait(1)[0].aborted);
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
}

TEST_F(ServerHttp2Test, AFileThatShrankResetsOneStream) {
  host.start();
  ASSERT_EQ(::truncate((host.folder() / "big").c_str(), 1'000'000), 0);
  Http2Client client(host.port());
  EXPECT_FALSE(client.fetch("GET", "/file").ended);
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
}

TEST_F(ServerHttp2Test, AResetDuringAJobIsReportedAfterIt) {
  host.start();
  Http2Client client(host.port());
  const std::int32_t id = client.begin("GET", "/gate");
  client.flush();
  gate.wait_for(1);
  client.reset(id, 8);
  EXPECT_EQ(client.fetch("GET", "/now").status, 200);
  EXPECT_EQ(host.observer.wait(1).size(), 1U);
  gate.open();
  const auto records = host.observer.wait(2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].target, "/gate");
  EXPECT_EQ(records[1].status, 499);
  EXPECT_TRUE(records[1].aborted);
}

TEST_F(ServerHttp2Test, ADisconnectDuringJobsIsReportedAfterThem) {
  host.start();
  {
    Http2Client client(host.port());
    client.begin("GET", "/gate");
    client.begin("GET", "/gate");
    client.begin("GET", "/file");
    client.flush();
    gate.wait_for(2);
    client.socket().reset();
  }
  gate.open();
  const auto records = host.observer.wait(3);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_TRUE(records[1].aborted && records[2].aborted);
  while (host.server->statistics().connections_open != 0) {
    std::this_thread::yield();
  }
}

TEST_F(ServerHttp2Test, DrainFinishesStreamsAndTakesNoMore) {
  host.start();
  Http2Client idle(host.port());
  EXPECT_EQ(idle.fetch("GET", "/now").status, 200);
  Http2Client busy(host.port());
  const std::int32_t running = busy.begin("GET", "/gate");
  const std::int32_t large = busy.begin("GET", "/file");
  busy.flush();
  gate.wait_for(1);
  EXPECT_FALSE(host.server->drain(std::chrono::milliseconds(10)));
  idle.read_all();
  EXPECT_TRUE(idle.told_to_go_away());
  EXPECT_EQ(idle.go_away_error(), 0U);
  gate.open();
  EXPECT_EQ(busy.wait(running).body, "gate");
  EXPECT_TRUE(busy.wait(large).body == big_);
  busy.read_all();
  EXPECT_TRUE(busy.told_to_go_away());
  EXPECT_TRUE(host.server->drain(std::chrono::seconds(20)));
}

TEST_F(ServerHttp2Test, StoppingWaitsForHandlers) {
  host.start();
  Http2Client client(host.port());
  client.begin("GET", "/gate");
  client.flush();
  gate.wait_for(1);
  std::thread opener([&] {
    client.read_all();
    gate.open();
  });
  host.stop();
  opener.join();
  EXPECT_TRUE(host.observer.wait(1)[0].aborted);
}

TEST_F(ServerHttp2Test, AnAnswerThatClosesTellsTheClientToGoAway) {
  host.application["/close"].on_try_now = [](const Request&, Context&) {
    return std::move(text("bye").close_connection());
  };
  host.start();
  Http2Client client(host.port());
  EXPECT_EQ(client.fetch("GET", "/close").body, "bye");
  client.read_all();
  EXPECT_TRUE(client.told_to_go_away());
}

TEST_F(ServerHttp2Test, SeveralClientsAtOnce) {
  host.options.io_threads = 2;
  host.start();
  std::vector<std::thread> clients;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      Http2Client client(host.port());
      for (int round = 0; round < 5; ++round) {
        const std::int32_t file = client.begin("GET", "/file");
        const std::int32_t source = client.begin("GET", "/source");
        const std::int32_t later = client.begin("GET", "/handle");
        const std::int32_t given_up = client.begin("GET", "/source");
        client.wait_for_head(given_up);
        client.reset(given_up, 8);
        good += client.wait(file).body == big_ ? 1 : 0;
        good += client.wait(source).body == big_ ? 1 : 0;
        good += client.wait(later).body == "later" ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(good, 60);
  EXPECT_EQ(host.observer.wait(80).size(), 80U);
}

}  // namespace
}  // namespace roadstead::http
