#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/guarded.h"
#include "base/result.h"
#include "http/internal/io_result.h"
#include "http/server.h"

struct ssl_st;
struct ssl_ctx_st;

namespace roadstead::http {

/// TLS over one non-blocking socket. OpenSSL writes to the socket without MSG_NOSIGNAL, so threads
/// that use a session block SIGPIPE.
class TlsSession {
 public:
  explicit TlsSession(ssl_st* ssl) : ssl_(ssl) {}
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// kMoved when the handshake is complete.
  IoResult handshake();
  IoResult read(std::span<char> into);
  IoResult write(std::string_view bytes);
  /// Whether the kernel encrypts what is sent, so that send_file() works.
  [[nodiscard]] bool kernel_sends() const;
  IoResult send_file(int file, std::uint64_t offset, std::uint64_t length);
  /// Whether client and server agreed on HTTP/2, once the handshake is complete.
  [[nodiscard]] bool speaks_http2() const;
  void close_notify();

 private:
  IoResult failure(int result);
  ssl_st* ssl_;
  bool broken_ = false;
};

/// Certificate, key and protocol settings: TLS 1.2 or later, HTTP/2 or HTTP/1.1 by ALPN.
/// Thread-safe.
class TlsContext {
 public:
  /// Errors: kInvalid naming the file that is not usable.
  static Result<std::unique_ptr<TlsContext>> load(const TlsOptions& options, bool http2);
  /// Takes the files as they are now; sessions that exist keep what they began with. On error
  /// nothing changes.
  Result<void> reload();
  /// Server side of a session on `fd`, or null when memory is out.
  std::unique_ptr<TlsSession> accept(int fd);

 private:
  TlsContext(TlsOptions options, bool http2) : options_(std::move(options)), http2_(http2) {}
  TlsOptions options_;
  bool http2_;
  /// Shared by this holder and by accept() while it makes a session of it.
  Guarded<std::shared_ptr<ssl_ctx_st>> context_;
};

}  // namespace roadstead::http
