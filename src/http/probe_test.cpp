#include "http/probe.h"

#include <gtest/gtest.h>

#include "http/testing/test_server.h"

namespace roadstead::http {
namespace {

using namespace std::chrono_literals;
using testing::TestServer;

class ProbeTest : public ::testing::Test {
 protected:
  ProbeTest() {
    answer_with("/well", 200, "all is well");
    answer_with("/ill", 503, R"({"database":"away"})");
  }
  void answer_with(const std::string& path, int status, const std::string& body) {
    host.application[path].on_try_now = [status, body](const Request&, Context&) {
      Response response(status);
      response.set_body(body, "text/plain");
      return response;
    };
  }
  static std::string at(std::uint16_t port, const std::string& path, const std::string& scheme) {
    return scheme + "://127.0.0.1:" + std::to_string(port) + path;
  }
  TestServer host;
};

TEST_F(ProbeTest, TellsStatusAndBodyWithAndWithoutTls) {
  host.listen_tls();
  host.start();
  const auto secure = probe(at(host.server->ports()[0], "/well", "https"), 10s);
  ASSERT_TRUE(secure.has_value());
  EXPECT_EQ(secure->status, 200);
  EXPECT_EQ(secure->body, "all is well");
  const auto plain = probe(at(host.server->ports()[1], "/ill", "http"), 10s);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->status, 503);
  EXPECT_EQ(plain->body, R"({"database":"away"})");
}

TEST_F(ProbeTest, BodiesAreCutAtTheLimit) {
  answer_with("/long", 200, std::string(kProbeBodyMax * 2, 'x'));
  host.start();
  const auto answer = probe(at(host.port(), "/long", "http"), 10s);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body.size(), kProbeBodyMax);
}

TEST_F(ProbeTest, SaysWhyThereIsNoAnswer) {
  host.start();
  const std::uint16_t port = host.port();
  // A listener without TLS refuses the handshake.
  EXPECT_EQ(probe(at(port, "/well", "https"), 10s).error().code, Code::kUnavailable);
  host.stop();
  const auto gone = probe(at(port, "/well", "http"), 10s);
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, Code::kUnavailable);
  EXPECT_NE(gone.error().message.find("nobody listens there"), std::string::npos);
}

TEST(ProbeUrl, RefusesWhatIsNoUrlOfAServer) {
  for (const char* url :
       {"", "127.0.0.1:80", "ftp://a/", "http://", "http://:80/", "http://a:0/", "http://a:70000/",
        "http://a:b/", "http://a/b c", "http://a/\r\nX: y", "http://user@a/", "https:///x"}) {
    const auto answer = probe(url, 1s);
    ASSERT_FALSE(answer.has_value()) << url;
    EXPECT_EQ(answer.error().code, Code::kInvalid) << url;
  }
}

}  // namespace
}  // namespace roadstead::http
