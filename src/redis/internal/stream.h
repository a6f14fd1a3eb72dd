#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "redis/internal/socket.h"
#include "redis/internal/tls.h"

namespace roadstead::redis::internal {

/// A connection that carries bytes, encrypted or not. Errors of all: kUnavailable.
class Stream {
 public:
  explicit Stream(Socket socket) : socket_(std::move(socket)) {}
  /// Encrypts from now on, with a server that is who it should be.
  Result<void> begin_tls(const TlsContext& tls, const std::string& host, Deadline deadline);

  Result<void> send(std::string_view bytes, Deadline deadline);
  /// At least one byte.
  Result<std::size_t> receive(std::span<char> into, Deadline deadline);
  [[nodiscard]] bool is_stale() const { return socket_.is_stale(); }

 private:
  Result<void> go_on(int result, Deadline deadline);
  Result<void> flush(Deadline deadline);
  Socket socket_;
  Ssl ssl_;
};

}  // namespace roadstead::redis::internal
