// Frames of a client, cut into reads, against a connection with endpoints of every kind: whatever
// comes, each request is reported once and the connection ends when the client does.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/internal/http2_connection.h"
#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kEmptySettings("\0\0\0\4\0\0\0\0\0", 9);

class Swallow final : public BodySink {
 public:
  std::optional<Response> write(std::span<const std::byte> /*bytes*/) override {
    return std::nullopt;
  }
  Response finish() override { return Response(201); }
};

class Place final : public Endpoint {
 public:
  explicit Place(BodyMode mode) : mode_(mode) {}
  [[nodiscard]] std::string_view name() const override { return "place"; }
  [[nodiscard]] BodyMode body_mode() const override { return mode_; }
  [[nodiscard]] std::size_t body_max() const override { return 1000; }
  std::optional<Response> try_now(const Request& request, Context& /*context*/) override {
    CHECK(!request.path.empty() && request.path.front() == '/');
    for (const HeaderField& field : request.headers) {
      CHECK(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    }
    Response response;
    response.set_body(std::string(request.path.size() * 1000, 'x'), "text/plain");
    response.set_etag("\"x\"").allow_ranges();
    return response;
  }
  std::variant<Response, std::unique_ptr<BodySink>> open(const Request& /*request*/,
                                                         Context& /*context*/) override {
    return std::make_unique<Swallow>();
  }

 private:
  BodyMode mode_;
};

class Places final : public Application, public Observer {
 public:
  Endpoint& route(const Request& request, RouteParameters& /*parameters*/) override {
    ++requests;
    return request.path == "/s" ? streamed_ : request.path == "/b" ? gathered_ : none_;
  }
  Response refuse(int status, std::string_view /*path*/, std::string_view /*reason*/) override {
    return Response(status);
  }
  void completed(const Completed& request) override {
    CHECK(request.status >= 200 && request.status < 600);
    ++reports;
  }

  std::size_t requests = 0;
  std::size_t reports = 0;

 private:
  Place none_{BodyMode::kNone};
  Place gathered_{BodyMode::kBuffered};
  Place streamed_{BodyMode::kStreamed};
};

ServerOptions options() {
  ServerOptions options;
  options.limits.header_bytes_max = 4096;
  options.limits.header_fields_max = 16;
  options.limits.upload_buffer_bytes = 512;
  options.limits.streams_per_connection_max = 8;
  return options;
}

/// Everything that outlives one input.
struct World {
  SystemClock clock;
  log::Sink sink{-1, log::Format::kText, log::Level::kError, clock};
  Places places;
  sys::ThreadPool pool{{"fuzz", 1, 4}};
  Shared shared{options(), places, places, pool, log::Logger(sink)};
  Loop loop{shared, {}};
  World() { CHECK(loop.open().has_value()); }
};

void exchange(World& world, int client, std::string_view bytes) {
  std::array<char, 65'536> ignored;
  while (!bytes.empty() && world.shared.connections.load() > 0) {
    const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    if (sent > 0) {
      world.loop.turn();
    }
    while (::recv(client, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0) {
    }
    if (sent < 0 && errno != EAGAIN) {
      return;
    }
  }
}

void run(std::string_view bytes, std::size_t cut) {
  static World world;
  world.places.requests = 0;
  world.places.reports = 0;
  std::array<int, 2> sockets{};
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0);
  ::fcntl(sockets[0], F_SETFL, O_NONBLOCK);
  world.loop.add(std::make_unique<Http2Connection>(world.loop, Transport(sockets[0], nullptr),
                                                   Peer{"127.0.0.1", true, false, false}),
                 sockets[0]);
  std::string whole(kPreface);
  whole.append(kEmptySettings).append(bytes);
  exchange(world, sockets[1], std::string_view(whole).substr(0, kPreface.size() + cut));
  exchange(world, sockets[1], std::string_view(whole).substr(kPreface.size() + cut));
  ::close(sockets[1]);
  while (world.shared.connections.load() > 0) {
    world.loop.turn();
  }
  CHECK(world.places.reports >= world.places.requests);
}

}  // namespace
}  // namespace roadstead::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 60'000) {
    return 0;
  }
  roadstead::http::run({reinterpret_cast<const char*>(data) + 1, size - 1}, data[0] % size);
  return 0;
}
