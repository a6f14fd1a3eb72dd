#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/server.h"

namespace roadstead::http {

struct Accepted {
  int fd = -1;
  std::string address;  ///< Numeric, without port.
};

/// A listening socket. Every loop has one of its own for each address (SO_REUSEPORT).
class Listener {
 public:
  /// One socket per loop, all on the same address. Port 0 becomes one free port for all of them.
  /// Errors: kUnavailable naming the address that cannot be listened on.
  static Result<std::vector<Listener>> open(const ListenOptions& options, std::size_t count);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  [[nodiscard]] int descriptor() const { return fd_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool tls() const { return tls_; }

  enum class Status { kAccepted, kEmpty, kExhausted };
  /// The next waiting connection, non-blocking and without Nagle's delay. kExhausted: descriptors
  /// or memory ran out, trying again at once is useless.
  Status accept(Accepted& accepted);

 private:
  Listener(int fd, bool tls) : fd_(fd), tls_(tls) {}
  int fd_;
  std::uint16_t port_ = 0;
  bool tls_;
};

}  // namespace roadstead::http
