#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace roadstead::bench {

/// http(s)://127.x.y.z:port. The driver talks to loopback only; everything else is refused here.
struct Target {
  sockaddr_in address{};
  std::string host;
  bool tls = false;
  /// Where connections come from, so that a server can tell two clients apart; any address when
  /// its family is 0.
  sockaddr_in source{};
};

/// False, with the reason in `why`, when `url` is not a loopback address with a port.
[[nodiscard]] bool parse_target(const std::string& url, Target& into, std::string& why);

/// False when `address` is not 127.x.y.z.
[[nodiscard]] bool parse_source(const std::string& address, Target& into);

/// TLS client settings: TLS 1.3 by preference, the server verified against one CA file.
class TlsClient {
 public:
  [[nodiscard]] static std::unique_ptr<TlsClient> open(const std::string& ca_file);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] ssl_st* session(int fd) const;

 private:
  explicit TlsClient(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

enum class Io { kDone, kWouldBlock, kClosed, kFailed };

/// One non-blocking connection, plain or TLS. Used by one thread.
class Transport {
 public:
  Transport() = default;
  ~Transport() { close(); }
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Starts connecting. `receive_buffer` > 0 fixes SO_RCVBUF (slow readers).
  [[nodiscard]] bool connect(const Target& target, const TlsClient* tls, int receive_buffer);
  void close();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  /// Sends a prefix of `first` + `second`; `sent` says how much. kDone means something was sent.
  [[nodiscard]] Io send(std::string_view first, std::string_view second, size_t& sent);
  [[nodiscard]] Io receive(char* into, size_t size, size_t& got);

 private:
  [[nodiscard]] Io tls_result(int result) const;

  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
};

}  // namespace roadstead::bench
