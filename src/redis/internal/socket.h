#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "redis/url.h"

namespace roadstead::redis::internal {

using Deadline = std::chrono::steady_clock::time_point;

/// "redis: <what>", kUnavailable.
Error unavailable(std::string_view what);

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

/// All addresses of a host. May take as long as the resolver likes. Errors: kUnavailable.
Result<std::vector<Address>> look_up(const Endpoint& endpoint);

/// A connected TCP socket whose every step has a deadline. Errors of all: kUnavailable.
class Socket {
 public:
  static Result<Socket> connect(const Address& address, Deadline deadline);
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  Result<void> send(std::string_view bytes, Deadline deadline);
  /// At least one byte.
  Result<std::size_t> receive(std::span<char> into, Deadline deadline);
  /// Whether the other side has closed it, or said what nobody asked for.
  [[nodiscard]] bool is_stale() const;

 private:
  explicit Socket(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace roadstead::redis::internal
