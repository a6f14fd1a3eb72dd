#include "http/testing/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/text.h"

namespace roadstead::http::testing {
namespace {

constexpr int kReadSeconds = 20;

int connect_to(std::uint16_t port, const std::string& address) {
  const bool ipv6 = address.find(':') != std::string::npos;
  const int fd = ::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  ::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr);
  ::inet_pton(AF_INET, address.c_str(), &four.sin_addr);
  const auto* target =
      ipv6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const timeval limit{kReadSeconds, 0};
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, target, ipv6 ? sizeof six : sizeof four) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

template <typename Write>
std::string pem_of(Write&& write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

struct Client::State {
  int fd = -1;
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  std::string buffer;  ///< Received, not yet handed out.

  ~State() {
    SSL_free(ssl);
    SSL_CTX_free(context);
    if (fd >= 0) {
      ::close(fd);
    }
  }

  bool secure(std::string_view protocols) {
    // OpenSSL writes without MSG_NOSIGNAL; a server that is gone must be an error, not a signal.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    context = SSL_CTX_new(TLS_client_method());
    ssl = SSL_new(context);
    std::string list;
    for (const std::string_view protocol : split(protocols, ',')) {
      list.append(1, static_cast<char>(protocol.size())).append(protocol);
    }
    if (!protocols.empty()) {
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<unsigned>(list.size()));
    }
    SSL_set_fd(ssl, fd);
    return SSL_connect(ssl) == 1;
  }

  /// False at the end of the stream.
  bool fill() {
    std::array<char, 65'536> piece;
    const long got = ssl != nullptr ? SSL_read(ssl, piece.data(), static_cast<int>(piece.size()))
                                    : ::recv(fd, piece.data(), piece.size(), 0);
    if (got <= 0) {
      return false;
    }
    buffer.append(piece.data(), static_cast<std::size_t>(got));
    return true;
  }
};

std::string Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) {
      return value;
    }
  }
  return {};
}

bool Answer::has(std::string_view name) const {
  for (const auto& field : headers) {
    if (equals_ignoring_case(field.first, name)) {
      return true;
    }
  }
  return false;
}

Client::Client(std::uint16_t port, bool tls, std::string_view address, std::string_view protocols)
    : state_(std::make_unique<State>()) {
  state_->fd = connect_to(port, std::string(address));
  if (state_->fd >= 0 && tls && !state_->secure(protocols)) {
    ::close(state_->fd);
    state_->fd = -1;
  }
}

Client::~Client() = default;
Client::Client(Client&& other) noexcept = default;
Client& Client::operator=(Client&& other) noexcept = default;

bool Client::connected() const {
  return state_->fd >= 0;
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const long sent =
        state_->ssl != nullptr
            ? SSL_write(
                  state_->ssl, bytes.data(),
                  static_cast<int>(std::min<std::size_t>(bytes.size(), std::size_t{1} << 20U)))
            : ::send(state_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

Answer Client::receive(bool head) {
  Answer answer;
  std::string& buffer = state_->buffer;
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!state_->fill()) {
      answer.closed = true;
      return answer;
    }
  }
  const std::vector<std::string_view> lines = split(std::string_view(buffer).substr(0, end), '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    std::string_view value = lines[i].substr(colon + 1);
    value = value.substr(0, value.find('\r'));
    answer.headers.emplace_back(lines[i].substr(0, colon), trim(value));
  }
  const int status = static_cast<int>(parse_uint64(lines[0].substr(9, 3)).value_or(0));
  buffer.erase(0, end + 4);
  const bool bodiless = head || status == 204 || status == 304 || status < 200;
  const auto length = bodiless ? 0 : parse_uint64(answer.header("Content-Length")).value_or(0);
  while (buffer.size() < length) {
    if (!state_->fill()) {
      answer.body = buffer;
      answer.closed = true;
      return answer;
    }
  }
  answer.body = buffer.substr(0, length);
  buffer.erase(0, length);
  answer.status = status;
  return answer;
}

Answer Client::get(std::string_view path, std::string_view headers) {
  return request("GET", path, headers);
}

Answer Client::request(std::string_view method, std::string_view path, std::string_view headers,
                       std::string_view body) {
  std::string text(method);
  text.append(" ").append(path).append(" HTTP/1.1\r\nHost: test\r\n").append(headers);
  if (!body.empty()) {
    text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  text.append("\r\n").append(body);
  send(text);
  return receive(method == "HEAD");
}

std::optional<std::string> Client::read_some(std::size_t size) {
  if (state_->buffer.empty() && !state_->fill()) {
    return std::nullopt;
  }
  std::string piece = state_->buffer.substr(0, size);
  state_->buffer.erase(0, piece.size());
  return piece;
}

std::string Client::read_all() {
  while (state_->fill()) {
  }
  return std::exchange(state_->buffer, {});
}

bool Client::closed_by_server() {
  return state_->buffer.empty() && !state_->fill();
}

void Client::shutdown_write() {
  ::shutdown(state_->fd, SHUT_WR);
}

void Client::reset() {
  const linger abort{1, 0};
  ::setsockopt(state_->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  ::close(std::exchange(state_->fd, -1));
}

std::string Client::certificate_name() const {
  if (state_->ssl == nullptr) {
    return {};
  }
  X509* const certificate = SSL_get1_peer_certificate(state_->ssl);
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            name.size());
  X509_free(certificate);
  return name.data();
}

std::string Client::protocol() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  if (state_->ssl != nullptr) {
    SSL_get0_alpn_selected(state_->ssl, &name, &length);
  }
  return {reinterpret_cast<const char*>(name), length};
}

Answer fetch(std::uint16_t port, std::string_view method, std::string_view path,
             std::string_view headers, std::string_view body) {
  return Client(port).request(method, path, headers, body);
}

Certificate make_certificate(std::string_view common_name) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  Certificate made{pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); }),
                   pem_of([&](BIO* bio) {
                     PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                   })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

}  // namespace roadstead::http::testing
