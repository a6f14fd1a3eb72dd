#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roadstead::http::testing {

/// An answer as it came over the wire.
struct Answer {
  int status = 0;  ///< 0: the connection ended before an answer was complete.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool closed = false;  ///< The server closed the connection right behind it.

  /// First value of this name (any case), or "".
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
};

/// A blocking HTTP/1.1 client for tests (other protocols through send() and read_some()): raw bytes
/// in, raw bytes out, over loopback. Every read gives up after 20 s, so that a broken server fails
/// a test instead of hanging it.
class Client {
 public:
  /// `tls` accepts any certificate. `address`: "127.0.0.1" or "::1". `protocols`: what to offer by
  /// ALPN, separated by commas.
  explicit Client(std::uint16_t port, bool tls = false, std::string_view address = "127.0.0.1",
                  std::string_view protocols = {});
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  [[nodiscard]] bool connected() const;
  /// False when the server no longer takes bytes.
  bool send(std::string_view bytes);
  /// Reads one answer. `head`: the answer to a HEAD request, which has no body.
  Answer receive(bool head = false);
  /// "GET /path HTTP/1.1" with Host and `headers` ("Name: value\r\n" lines), and its answer.
  Answer get(std::string_view path, std::string_view headers = {});
  Answer request(std::string_view method, std::string_view path, std::string_view headers = {},
                 std::string_view body = {});
  /// Reads at most `size` bytes (at least one), or nothing at the end of the stream.
  std::optional<std::string> read_some(std::size_t size = 65'536);
  /// Everything until the server closes.
  std::string read_all();
  /// Whether the server closes the connection without another byte.
  bool closed_by_server();
  /// Sends no more, still reads.
  void shutdown_write();
  /// Closes with a reset instead of the usual handshake.
  void reset();
  /// Common name of the server's certificate; empty without TLS.
  [[nodiscard]] std::string certificate_name() const;
  /// What ALPN agreed on; empty without.
  [[nodiscard]] std::string protocol() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One request on a connection of its own.
Answer fetch(std::uint16_t port, std::string_view method, std::string_view path,
             std::string_view headers = {}, std::string_view body = {});

/// A self-signed certificate and its key (PEM), made on the spot.
struct Certificate {
  std::string certificate;
  std::string key;
};
Certificate make_certificate(std::string_view common_name);

}  // namespace roadstead::http::testing
