#include "http/internal/tls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace roadstead::http {
namespace {

using Kind = IoResult::Kind;

/// The kernel refuses an unknown upper-layer protocol with ENOENT; a known one fails only because
/// this socket is not connected.
bool kernel_has_tls() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return false;
  }
  const bool known = ::setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 3) == 0 || errno == ENOTCONN;
  ::close(fd);
  return known;
}

Error tls_error(const std::filesystem::path& file, std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return Error{Code::kInvalid,
               Subject::kNone,
               std::string(what) + " " + file.string() + ": " + text.data(),
               {}};
}

// Protocols by preference, each behind its length (RFC 7301). The second list is the end of the
// first.
constexpr std::array<unsigned char, 12> kProtocols{2,   'h', '2', 8,   'h', 't',
                                                   't', 'p', '/', '1', '.', '1'};
constexpr std::size_t kHttp2Bytes = 3;

int choose_protocol(std::span<const unsigned char> ours, const unsigned char** chosen,
                    unsigned char* chosen_length, std::span<const unsigned char> offered) {
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, chosen_length, ours.data(),
                            static_cast<unsigned>(ours.size()), offered.data(),
                            static_cast<unsigned>(offered.size())) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = selected;
  return SSL_TLSEXT_ERR_OK;
}

int choose_any(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_length,
               const unsigned char* offered, unsigned int offered_length, void* /*argument*/) {
  return choose_protocol(kProtocols, chosen, chosen_length, {offered, offered_length});
}

int choose_http1(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_length,
                 const unsigned char* offered, unsigned int offered_length, void* /*argument*/) {
  return choose_protocol(std::span(kProtocols).subspan(kHttp2Bytes), chosen, chosen_length,
                         {offered, offered_length});
}

void configure(SSL_CTX* context, bool http2) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // ECDHE with AEAD only; TLS 1.3 suites are all of that kind.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  if (kernel_has_tls()) {
    SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  }
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  static constexpr std::array<unsigned char, 9> kSessions{'r', 'o', 'a', 'd', 's',
                                                          't', 'e', 'a', 'd'};
  SSL_CTX_set_session_id_context(context, kSessions.data(), kSessions.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, 4096);
  SSL_CTX_set_alpn_select_cb(context, http2 ? choose_any : choose_http1, nullptr);
}

Result<std::shared_ptr<SSL_CTX>> make_context(const TlsOptions& options, bool http2) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) {
    return Error{Code::kInternal, Subject::kNone, "cannot create a TLS context", {}};
  }
  configure(context.get(), http2);
  if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1) {
    return tls_error(options.certificate, "cannot use certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return tls_error(options.key, "cannot use key");
  }
  return context;
}

}  // namespace

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

IoResult TlsSession::failure(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {Kind::kBlocked};
    case SSL_ERROR_ZERO_RETURN:
      return {Kind::kEnded};
    default:
      broken_ = true;
      ERR_clear_error();
      return {Kind::kFailed};
  }
}

IoResult TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_accept(ssl_);
  return result == 1 ? IoResult{Kind::kMoved, 0} : failure(result);
}

IoResult TlsSession::read(std::span<char> into) {
  ERR_clear_error();
  std::size_t got = 0;
  const int result = SSL_read_ex(ssl_, into.data(), into.size(), &got);
  return result == 1 ? IoResult{Kind::kMoved, got} : failure(result);
}

IoResult TlsSession::write(std::string_view bytes) {
  ERR_clear_error();
  std::size_t sent = 0;
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent);
  return result == 1 ? IoResult{Kind::kMoved, sent} : failure(result);
}

bool TlsSession::kernel_sends() const {
  return BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0;
}

IoResult TlsSession::send_file(int file, std::uint64_t offset, std::uint64_t length) {
  ERR_clear_error();
  const ossl_ssize_t sent = SSL_sendfile(ssl_, file, static_cast<off_t>(offset), length, 0);
  return sent > 0 ? IoResult{Kind::kMoved, static_cast<std::size_t>(sent)}
                  : failure(static_cast<int>(sent));
}

bool TlsSession::speaks_http2() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_, &name, &length);
  return length == kHttp2Bytes - 1 && name[0] == 'h' && name[1] == '2';
}

void TlsSession::close_notify() {
  if (!broken_ && SSL_is_init_finished(ssl_) != 0) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
}

Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsOptions& options, bool http2) {
  std::unique_ptr<TlsContext> holder(new TlsContext(options, http2));
  TRY(holder->reload());
  return holder;
}

Result<void> TlsContext::reload() {
  auto fresh = TRY(make_context(options_, http2_));
  context_.with([&](std::shared_ptr<SSL_CTX>& current) { current.swap(fresh); });
  return {};
}

std::unique_ptr<TlsSession> TlsContext::accept(int fd) {
  const auto context =
      context_.with([](const std::shared_ptr<SSL_CTX>& current) { return current; });
  SSL* const ssl = SSL_new(context.get());
  if (ssl == nullptr) {
    return nullptr;
  }
  auto session = std::make_unique<TlsSession>(ssl);
  return SSL_set_fd(ssl, fd) == 1 ? std::move(session) : nullptr;
}

}  // namespace roadstead::http
