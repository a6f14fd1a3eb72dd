#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http/networks.h"

namespace roadstead::http {

/// Who asked, as far as trusted proxies tell. Views into the request or the connection.
struct Origin {
  std::string_view client_address;
  std::string_view scheme;
  std::string_view host;
};

/// The peers whose X-Forwarded-* fields are believed.
class TrustedProxies {
 public:
  /// Errors: kInvalid naming the entry that is neither an address nor a CIDR block.
  static Result<TrustedProxies> parse(const std::vector<std::string>& entries);
  [[nodiscard]] bool trusts(std::string_view address) const { return networks_.contains(address); }
  /// For requests from a trusted peer: X-Forwarded-For from the right up to the first address that
  /// is not trusted, X-Forwarded-Proto and X-Forwarded-Host; malformed fields are ignored.
  [[nodiscard]] Origin resolve(const Request& request, Origin direct) const;

 private:
  Networks networks_;
};

}  // namespace roadstead::http
