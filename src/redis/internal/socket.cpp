#include "redis/internal/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace roadstead::redis::internal {
namespace {

Error failed(std::string_view what, int error_number) {
  return unavailable(fmt::format("{}: {}", what, std::strerror(error_number)));
}

Result<void> wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd descriptor{fd, events, 0};
    const int ready = ::poll(&descriptor, 1, static_cast<int>(std::max(left.count(), 0L)));
    if (ready > 0) {
      return {};
    }
    if (ready == 0) {
      return unavailable("the server does not answer in time");
    }
    if (errno != EINTR) {
      return failed("poll", errno);
    }
  }
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

Error unavailable(std::string_view what) {
  return Error{Code::kUnavailable, Subject::kNone, fmt::format("redis: {}", what), {}};
}

Result<std::vector<Address>> look_up(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) {
    return unavailable(fmt::format("{}: {}", endpoint.host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Address& address = addresses.emplace_back();
    address.size = at->ai_addrlen;
    std::memcpy(&address.bytes, at->ai_addr, at->ai_addrlen);
  }
  return addresses;
}

Result<Socket> Socket::connect(const Address& address, Deadline deadline) {
  Socket socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd_ < 0) {
    return failed("socket", errno);
  }
  const int on = 1;
  ::setsockopt(socket.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) {
    return socket;
  }
  if (errno != EINPROGRESS && errno != EINTR) {
    return failed("connect", errno);
  }
  TRY(wait_for(socket.fd_, POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return failed("connect", error);
  }
  return socket;
}

Socket::~Socket() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Result<void> Socket::send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (would_block()) {
      TRY(wait_for(fd_, POLLOUT, deadline));
    } else if (errno != EINTR) {
      return failed("send", errno);
    }
  }
  return {};
}

Result<std::size_t> Socket::receive(std::span<char> into, Deadline deadline) {
  for (;;) {
    // Waited for first: an answer is never there yet when it is asked for.
    TRY(wait_for(fd_, POLLIN, deadline));
    const ssize_t received = ::recv(fd_, into.data(), into.size(), 0);
    if (received > 0) {
      return static_cast<std::size_t>(received);
    }
    if (received == 0) {
      return unavailable("the server closed the connection");
    }
    if (errno != EINTR && !would_block()) {
      return failed("receive", errno);
    }
  }
}

bool Socket::is_stale() const {
  char byte = 0;
  return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || !would_block();
}

}  // namespace roadstead::redis::internal
