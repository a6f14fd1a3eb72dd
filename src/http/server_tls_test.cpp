#include <fstream>

#include <gtest/gtest.h>

#include "http/server.h"
#include "http/testing/client.h"
#include "http/testing/test_server.h"
#include "sys/file.h"

namespace roadstead::http {
namespace {

using testing::Client;
using testing::TestServer;

class ServerTlsTest : public ::testing::Test {
 protected:
  ServerTlsTest() {
    host.listen_tls();
    host.application["/scheme"].on_try_now = [](const Request& request, Context&) {
      Response response;
      response.set_body(std::string(request.scheme), "text/plain");
      return response;
    };
  }
  TestServer host;
};

TEST_F(ServerTlsTest, ServesBothKindsOfPort) {
  host.start();
  Client secure(host.server->ports()[0], true);
  EXPECT_EQ(secure.certificate_name(), "first");
  EXPECT_EQ(secure.get("/scheme").body, "https");
  EXPECT_EQ(secure.get("/scheme").body, "https");
  Client plain(host.server->ports()[1]);
  EXPECT_EQ(plain.get("/scheme").body, "http");
  Client confused(host.server->ports()[0]);
  confused.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(confused.receive().status, 0);
}

TEST_F(ServerTlsTest, ReloadKeepsConnectionsAndChangesNewOnes) {
  host.start();
  const std::uint16_t port = host.port();
  Client old(port, true);
  EXPECT_EQ(old.get("/scheme").status, 200);
  host.install_certificate("second");
  EXPECT_TRUE(host.server->reload_tls().has_value());
  EXPECT_EQ(Client(port, true).certificate_name(), "second");
  EXPECT_EQ(old.get("/scheme").status, 200);
  EXPECT_EQ(old.certificate_name(), "first");

  std::ofstream(host.folder() / "key.pem") << "garbage";
  const auto failed = host.server->reload_tls();
  EXPECT_FALSE(failed.has_value());
  EXPECT_EQ(Client(port, true).certificate_name(), "second");
}

TEST_F(ServerTlsTest, MovesBigBodiesBothWays) {
  std::string bytes(5'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(i * 31 >> 3U);
  }
  auto opened = sys::File::open(host.folder() / "big", sys::File::Mode::kCreateNew).value();
  opened.write_at(0, std::as_bytes(std::span(bytes))).value();
  const auto file = std::make_shared<const sys::File>(std::move(opened));
  host.application["/file"].on_try_now = [&](const Request&, Context&) {
    Response response;
    response.set_body(FileRegion{file, 0, bytes.size()}, "a/b");
    return response;
  };
  auto& echo = host.application["/echo"];
  echo.mode = BodyMode::kBuffered;
  echo.max = bytes.size();
  echo.on_handle = [](const Request& request, Context&) {
    Response response;
    response.set_body(std::string(request.body), "a/b");
    return response;
  };
  host.start();
  Client client(host.port(), true);
  EXPECT_TRUE(client.get("/file").body == bytes);
  EXPECT_TRUE(client.request("POST", "/echo", "", bytes).body == bytes);
  EXPECT_TRUE(client.get("/file", "Connection: close\r\n").body == bytes);
}

TEST_F(ServerTlsTest, AnUnusableCertificateIsNamed) {
  host.options.tls->certificate = host.folder() / "absent.pem";
  SystemClock clock;
  log::Sink sink(-1, log::Format::kText, log::Level::kError, clock);
  sys::ThreadPool pool({"test", 1, 1});
  auto started =
      Server::start(host.options, host.application, host.observer, pool, log::Logger(sink));
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find("absent.pem"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::http
