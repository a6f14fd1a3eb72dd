#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "redis/url.h"

struct ssl_ctx_st;
struct ssl_st;

namespace roadstead::redis::internal {

struct SslFree {
  void operator()(ssl_st* ssl) const;
};
using Ssl = std::unique_ptr<ssl_st, SslFree>;

/// Whom we trust and who we are, for TLS 1.2 or later. Thread-safe.
class TlsContext {
 public:
  /// Errors: kInvalid + kConfiguration naming the file that cannot be used.
  static Result<std::unique_ptr<TlsContext>> load(const Options& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// The client's side of a session with `host`, whose certificate must name it, over memory; null
  /// when memory is out.
  [[nodiscard]] Ssl session(const std::string& host) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace roadstead::redis::internal
