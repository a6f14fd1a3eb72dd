#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "http/endpoint.h"
#include "sys/thread_pool.h"

namespace roadstead::http {

struct TlsOptions {
  std::filesystem::path certificate;  ///< PEM chain.
  std::filesystem::path key;          ///< PEM.
};

struct ListenOptions {
  std::string host;        ///< "127.0.0.1", "::1", "0.0.0.0", "localhost"
  std::uint16_t port = 0;  ///< 0: any free port; ask Server::ports().
  bool tls = false;
};

struct Limits {
  std::size_t header_bytes_max = std::size_t{64} << 10U;
  std::size_t header_fields_max = 200;
  std::chrono::milliseconds header_time{15'000};
  std::chrono::milliseconds idle_time{75'000};
  /// A body (or a response) must move at least this much, averaged over each window.
  std::uint64_t body_rate_min_bytes_per_second = 512;
  std::chrono::milliseconds body_rate_window{30'000};
  std::chrono::milliseconds request_time{
      60'000};  ///< Deadline for handlers; body transfer is not counted.
  std::size_t connections_max = 65'536;
  std::size_t connections_per_address_max =
      0;  ///< 0: no limit. Applied after trusted-proxy resolution.
  /// HTTP/2: how long a client may go on sending a body that was answered before it was here, until
  /// its stream is reset. Some report the reset instead of the answer when both come together.
  std::chrono::milliseconds early_answer_time{1'000};
  std::size_t streams_per_connection_max = 100;  ///< HTTP/2: requests under way at once.
  std::size_t upload_buffer_bytes = std::size_t{512} << 10U;  ///< Two per streaming upload.
};

struct ServerOptions {
  std::vector<ListenOptions> listen;
  std::optional<TlsOptions> tls;
  bool http2 = true;  ///< Under TLS, with clients that offer it; without, everyone gets HTTP/1.1.
  std::vector<std::string>
      trusted_proxies;  ///< Addresses or CIDR blocks whose X-Forwarded-* count.
  Limits limits;
  std::size_t io_threads = 0;  ///< 0: one per core.
};

struct ServerStatistics {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t uploads_streaming = 0;
  std::uint64_t requests_refused = 0;  ///< Answered by the edge itself.
  double loop_delay_seconds_max = 0;   ///< Since the last call of statistics().
};

/// The network edge: N I/O threads, each with its own epoll loop and accepting sockets
/// (SO_REUSEPORT). Endpoint code runs on `workers`. The collaborators outlive the server. I/O
/// threads block SIGPIPE for themselves; the process need not ignore it.
class Server {
 public:
  /// Listens on all addresses or fails naming the one that did not work.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Application& application,
                                               Observer& observer, sys::ThreadPool& workers,
                                               log::Logger logger);
  /// Closes all connections; waits for handlers that run.
  virtual ~Server() = default;

  /// The port of each ListenOptions, in order.
  [[nodiscard]] virtual std::vector<std::uint16_t> ports() const = 0;
  /// Stops accepting, answers running requests with Connection: close, closes idle connections, and
  /// returns when none is left or after `limit`, whichever is first; true when none is left.
  virtual bool drain(std::chrono::milliseconds limit) = 0;
  /// Reads certificate and key again; open connections keep theirs. On error the old ones stay.
  virtual Result<void> reload_tls() = 0;
  [[nodiscard]] virtual ServerStatistics statistics() = 0;
};

}  // namespace roadstead::http
