#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "http/internal/tls.h"

namespace roadstead::http {

/// A connected non-blocking socket, plain or under TLS. Owns the descriptor.
class Transport {
 public:
  Transport(int fd, std::unique_ptr<TlsSession> tls) : fd_(fd), tls_(std::move(tls)) {}
  ~Transport();
  Transport(Transport&& other) noexcept;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  [[nodiscard]] int descriptor() const { return fd_; }
  [[nodiscard]] TlsSession* tls() const { return tls_.get(); }
  /// Whether fewer bytes than asked for mean that the socket is drained. Not so under TLS, where
  /// each call returns at most one record.
  [[nodiscard]] bool short_read_drains() const { return tls_ == nullptr; }

  IoResult read(std::span<char> into);
  /// Both pieces in one call where possible; `more` announces that a body follows at once.
  IoResult write(std::string_view first, std::string_view second, bool more);
  /// File bytes to the socket. Without kernel support for it, `scratch` is the way through.
  IoResult send_file(int file, std::uint64_t offset, std::uint64_t length, std::span<char> scratch);
  /// Reads and forgets what the peer still sends; below TLS.
  IoResult discard(std::span<char> scratch);
  /// Tells the peer that nothing more comes.
  void shutdown_write();

 private:
  IoResult write_records(std::string_view bytes);
  int fd_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace roadstead::http
