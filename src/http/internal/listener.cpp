#include "http/internal/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace roadstead::http {
namespace {

constexpr int kBacklog = 4096;

struct SocketAddress {
  sockaddr_storage address{};
  socklen_t size = 0;
};

void set_port(SocketAddress& endpoint, std::uint16_t port) {
  if (endpoint.address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&endpoint.address)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&endpoint.address)->sin_port = htons(port);
  }
}

std::uint16_t port_of(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

Error listen_error(const ListenOptions& options, std::string_view reason) {
  return Error{Code::kUnavailable,
               Subject::kNone,
               "cannot listen on " + options.host + ":" + std::to_string(options.port) + ": " +
                   std::string(reason),
               {}};
}

Result<SocketAddress> resolve(const ListenOptions& options) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  std::string host = options.host;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (status != 0 || found == nullptr) {
    return listen_error(options, ::gai_strerror(status));
  }
  const addrinfo* chosen = found;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {  // "localhost" is 127.0.0.1 to most clients.
      chosen = each;
      break;
    }
  }
  SocketAddress endpoint;
  std::memcpy(&endpoint.address, chosen->ai_addr, chosen->ai_addrlen);
  endpoint.size = chosen->ai_addrlen;
  ::freeaddrinfo(found);
  set_port(endpoint, options.port);
  return endpoint;
}

/// A bound socket, or -1 with errno.
int bind_socket(const SocketAddress& endpoint, bool share_port) {
  const int fd =
      ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return -1;
  }
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (share_port) {
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (endpoint.address.ss_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) != 0 ||
      (share_port && ::listen(fd, kBacklog) != 0)) {
    const int reason = errno;
    ::close(fd);
    errno = reason;
    return -1;
  }
  return fd;
}

/// SO_REUSEPORT would let two servers of one user share a port without a word. A socket without it
/// notices the other one.
bool is_taken(const SocketAddress& endpoint) {
  const int fd = bind_socket(endpoint, false);
  if (fd < 0) {
    return true;
  }
  ::close(fd);
  return false;
}

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&ipv6)) {
      ::inet_ntop(AF_INET, ipv6.s6_addr + 12, text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &ipv6, text.data(), text.size());
    }
  } else {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in*>(&address)->sin_addr;
    ::inet_ntop(AF_INET, &ipv4, text.data(), text.size());
  }
  return text.data();
}

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_), tls_(other.tls_) {}

Listener::~Listener() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<std::vector<Listener>> Listener::open(const ListenOptions& options, std::size_t count) {
  SocketAddress endpoint = TRY(resolve(options));
  if (options.port != 0 && is_taken(endpoint)) {
    return listen_error(options, std::strerror(errno));
  }
  std::vector<Listener> listeners;
  while (listeners.size() < count) {
    const int fd = bind_socket(endpoint, true);
    if (fd < 0) {
      return listen_error(options, std::strerror(errno));
    }
    listeners.push_back(Listener(fd, options.tls));
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
    listeners.back().port_ = port_of(bound);
    set_port(endpoint, listeners.back().port_);
  }
  return listeners;
}

Listener::Status Listener::accept(Accepted& accepted) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  accepted.fd =
      ::accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted.fd < 0) {
    const bool exhausted =
        errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    // Anything else (ECONNABORTED, EPROTO, …) concerns one connection; level-triggered readiness
    // brings us back.
    return exhausted ? Status::kExhausted : Status::kEmpty;
  }
  const int on = 1;
  ::setsockopt(accepted.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  accepted.address = text_of(peer);
  return Status::kAccepted;
}

}  // namespace roadstead::http
