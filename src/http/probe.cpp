#include "http/probe.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "base/text.h"

namespace roadstead::http {
namespace {

using Deadline = std::chrono::steady_clock::time_point;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
using TlsClient = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

constexpr std::size_t kHeadMax = std::size_t{16} << 10U;

struct Target {
  bool tls = false;
  std::string host;  ///< Without the brackets of IPv6
  std::string port;
  std::string authority;
  std::string path;
};

std::optional<Target> parse_target(std::string_view url) {
  Target target;
  target.tls = url.starts_with("https://");
  if (!target.tls && !url.starts_with("http://")) {
    return std::nullopt;
  }
  url.remove_prefix(target.tls ? 8 : 7);
  const std::size_t slash = std::min(url.find('/'), url.size());
  const std::string_view authority = url.substr(0, slash);
  target.authority = authority;
  target.path = slash == url.size() ? "/" : url.substr(slash);
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string_view host = authority.substr(0, has_port ? colon : authority.size());
  target.port = has_port ? authority.substr(colon + 1) : (target.tls ? "443" : "80");
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  target.host = host;
  // What would end the line of the request or a header has no place in either.
  const auto is_bad = [](char c) { return c <= ' ' || c == '\x7f' || c == '@'; };
  const auto port = parse_uint64(target.port);
  if (host.empty() || !port || *port == 0 || *port > 65'535 ||
      std::any_of(url.begin(), url.end(), is_bad)) {
    return std::nullopt;
  }
  return target;
}

Error no_answer(const Target& target, std::string_view why) {
  return Error{Code::kUnavailable,
               Subject::kNone,
               fmt::format("{} does not answer: {}", target.authority, why),
               {}};
}

/// A connected socket whose every step is bounded, or why there is none.
Result<Bio> connect_to(const Target& target, std::chrono::seconds limit) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found) != 0) {
    return no_answer(target, "no such host");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const timeval step{static_cast<time_t>(limit.count()), 0};
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int fd = ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) {
      continue;
    }
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof step);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof step);
    if (::connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
      return Bio(BIO_new_socket(fd, BIO_CLOSE), &BIO_free_all);
    }
    ::close(fd);
  }
  return no_answer(target, "nobody listens there");
}

/// What came until the server closed the connection, its deadline or the limit of size.
std::string read_all(BIO* bio, Deadline deadline) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < kHeadMax + kProbeBodyMax && std::chrono::steady_clock::now() < deadline) {
    const int n = BIO_read(bio, buffer.data(), static_cast<int>(buffer.size()));
    if (n <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

Result<ProbeAnswer> probe(const std::string& url, std::chrono::seconds limit) {
  const auto target = parse_target(url);
  if (!target) {
    return Error{
        Code::kInvalid, Subject::kRequest, "expected http://host[:port][/path] or https://…", {}};
  }
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  const TlsClient context(target->tls ? SSL_CTX_new(TLS_client_method()) : nullptr, &SSL_CTX_free);
  Bio bio = TRY(connect_to(*target, limit));
  if (target->tls) {
    // Who answers is not the question, and nothing secret is sent: the certificate may name whom it
    // likes, as that of a public name does when it is asked for by way of loopback.
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    bio.reset(BIO_push(BIO_new_ssl(context.get(), 1), bio.release()));
  }
  // Of HTTP/1.0 because the answer then ends with the connection, and is in one piece.
  const std::string request =
      fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: roadstead-health\r\n\r\n",
                  target->path, target->authority);
  if (BIO_write(bio.get(), request.data(), static_cast<int>(request.size())) !=
      static_cast<int>(request.size())) {
    return no_answer(*target, target->tls ? "no TLS session" : "the connection was lost");
  }
  const std::string text = read_all(bio.get(), deadline);
  const std::size_t head = text.find("\r\n\r\n");
  const auto status = text.starts_with("HTTP/1.") && text.size() > 12
                          ? parse_uint64(std::string_view(text).substr(9, 3))
                          : std::nullopt;
  if (head == std::string::npos || !status) {
    return no_answer(*target, "not with HTTP, or not in time");
  }
  return ProbeAnswer{static_cast<int>(*status), text.substr(head + 4, kProbeBodyMax)};
}

}  // namespace roadstead::http
