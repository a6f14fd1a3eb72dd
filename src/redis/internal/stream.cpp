#include "redis/internal/stream.h"

#include <array>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace roadstead::redis::internal {
namespace {

Error tls_failure(const SSL* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (verified != X509_V_OK) {
    return unavailable(
        fmt::format("the server's certificate: {}", X509_verify_cert_error_string(verified)));
  }
  const char* const reason = ERR_reason_error_string(error);
  return unavailable(fmt::format("TLS: {}", reason == nullptr ? "broken" : reason));
}

}  // namespace

// TLS works on memory, and the bytes go through the socket here, because OpenSSL's own way to a
// socket knows no deadline and raises SIGPIPE.

Result<void> Stream::flush(Deadline deadline) {
  char* bytes = nullptr;
  BIO* const out = SSL_get_wbio(ssl_.get());
  const long size = BIO_get_mem_data(out, &bytes);
  if (size > 0) {
    TRY(socket_.send({bytes, static_cast<std::size_t>(size)}, deadline));
    BIO_reset(out);
  }
  return {};
}

/// After a step of TLS that did not complete: moves what it waits for.
Result<void> Stream::go_on(int result, Deadline deadline) {
  const int why = SSL_get_error(ssl_.get(), result);
  // What is to be sent may tell the other side why this failed.
  const auto flushed = flush(deadline);
  if (why != SSL_ERROR_WANT_READ) {
    return tls_failure(ssl_.get());
  }
  TRY(flushed);
  std::array<char, 16'384> buffer{};
  const std::size_t size = TRY(socket_.receive(buffer, deadline));
  BIO_write(SSL_get_rbio(ssl_.get()), buffer.data(), static_cast<int>(size));
  return {};
}

Result<void> Stream::begin_tls(const TlsContext& tls, const std::string& host, Deadline deadline) {
  ssl_ = tls.session(host);
  if (!ssl_) {
    return unavailable("no TLS session can be made");
  }
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      return flush(deadline);
    }
    TRY(go_on(result, deadline));
  }
}

Result<void> Stream::send(std::string_view bytes, Deadline deadline) {
  if (!ssl_) {
    return socket_.send(bytes, deadline);
  }
  for (;;) {
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
    if (result == 1) {
      return flush(deadline);  // All of it: memory takes everything.
    }
    TRY(go_on(result, deadline));
  }
}

Result<std::size_t> Stream::receive(std::span<char> into, Deadline deadline) {
  if (!ssl_) {
    return socket_.receive(into, deadline);
  }
  for (;;) {
    ERR_clear_error();
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
    if (result == 1) {
      return size;
    }
    TRY(go_on(result, deadline));
  }
}

}  // namespace roadstead::redis::internal
