#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace roadstead::bench {

bool parse_target(const std::string& url, Target& into, std::string& why) {
  std::string_view rest = url;
  into.tls = rest.starts_with("https://");
  if (!into.tls && !rest.starts_with("http://")) {
    why = "the URL must start with http:// or https://";
    return false;
  }
  rest.remove_prefix(into.tls ? 8 : 7);
  while (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  const auto colon = rest.find(':');
  uint16_t port = 0;
  if (colon != std::string_view::npos) {
    std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
  }
  into.host = rest;
  into.address.sin_family = AF_INET;
  into.address.sin_port = htons(port);
  const std::string name(rest.substr(0, colon));
  const bool parsed = inet_pton(AF_INET, name.c_str(), &into.address.sin_addr) == 1;
  if (port == 0 || !parsed || (ntohl(into.address.sin_addr.s_addr) >> 24U) != 127) {
    why = "only loopback addresses 127.x.y.z:port are allowed";
    return false;
  }
  return true;
}

bool parse_source(const std::string& address, Target& into) {
  into.source.sin_family = AF_INET;
  return inet_pton(AF_INET, address.c_str(), &into.source.sin_addr) == 1 &&
         (ntohl(into.source.sin_addr.s_addr) >> 24U) == 127;
}

std::unique_ptr<TlsClient> TlsClient::open(const std::string& ca_file) {
  ssl_ctx_st* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr || SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    SSL_CTX_free(context);
    return nullptr;
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  return std::unique_ptr<TlsClient>(new TlsClient(context));
}

TlsClient::~TlsClient() {
  SSL_CTX_free(context_);
}

ssl_st* TlsClient::session(int fd) const {
  ssl_st* ssl = SSL_new(context_);
  if (ssl != nullptr) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
  }
  return ssl;
}

bool Transport::connect(const Target& target, const TlsClient* tls, int receive_buffer) {
  close();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    return false;
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  if (target.source.sin_family != 0) {
    const auto* source = reinterpret_cast<const sockaddr*>(&target.source);
    setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd_, source, sizeof target.source) != 0) {
      close();
      return false;
    }
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
  if (::connect(fd_, address, sizeof target.address) != 0 && errno != EINPROGRESS) {
    close();
    return false;
  }
  if (tls != nullptr) {
    ssl_ = tls->session(fd_);
  }
  return tls == nullptr || ssl_ != nullptr;
}

void Transport::close() {
  SSL_free(ssl_);
  ssl_ = nullptr;
  if (fd_ >= 0) {
    ::close(fd_);
  }
  fd_ = -1;
}

Io Transport::tls_result(int result) const {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Io::kWouldBlock;
    case SSL_ERROR_ZERO_RETURN:
      return Io::kClosed;
    default:
      ERR_clear_error();
      return Io::kFailed;
  }
}

Io Transport::send(std::string_view first, std::string_view second, size_t& sent) {
  sent = 0;
  if (ssl_ != nullptr) {
    const auto piece = first.empty() ? second : first;
    const int result = SSL_write_ex(ssl_, piece.data(), piece.size(), &sent);
    return result == 1 ? Io::kDone : tls_result(result);
  }
  std::array<iovec, 2> pieces{{{const_cast<char*>(first.data()), first.size()},
                               {const_cast<char*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = second.empty() ? 1 : 2;
  const ssize_t result = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (result >= 0) {
    sent = static_cast<size_t>(result);
    return Io::kDone;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ENOTCONN) {
    return Io::kWouldBlock;
  }
  return errno == EPIPE || errno == ECONNRESET ? Io::kClosed : Io::kFailed;
}

Io Transport::receive(char* into, size_t size, size_t& got) {
  got = 0;
  if (ssl_ != nullptr) {
    const int result = SSL_read_ex(ssl_, into, size, &got);
    return result == 1 ? Io::kDone : tls_result(result);
  }
  const ssize_t result = ::recv(fd_, into, size, 0);
  if (result > 0) {
    got = static_cast<size_t>(result);
    return Io::kDone;
  }
  if (result == 0) {
    return Io::kClosed;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ENOTCONN) {
    return Io::kWouldBlock;
  }
  return errno == ECONNRESET ? Io::kClosed : Io::kFailed;
}

}  // namespace roadstead::bench
