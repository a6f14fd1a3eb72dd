#include "http/internal/proxy_headers.h"

#include "base/text.h"
#include "http/internal/characters.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kHopsMax = 32;

/// The last element of a comma-separated field: the one that our trusted neighbour wrote.
std::string_view last_element(std::string_view list) {
  const std::size_t comma = list.rfind(',');
  return trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

/// "[2001:db8::1]:443" and "192.0.2.1:443" without brackets and port.
std::string_view without_port(std::string_view hop) {
  if (!hop.empty() && hop.front() == '[') {
    const std::size_t end = hop.find(']');
    return end == std::string_view::npos ? std::string_view() : hop.substr(1, end - 1);
  }
  const std::size_t colon = hop.find(':');
  const bool single = colon != std::string_view::npos && hop.rfind(':') == colon;
  return single ? hop.substr(0, colon) : hop;  // Two colons: a bare IPv6 address.
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& entries) {
  auto networks = Networks::parse(entries);
  if (!networks) {
    return Error{Code::kInvalid, Subject::kNone,
                 "trusted proxy is neither an address nor a CIDR block", networks.error().detail};
  }
  TrustedProxies proxies;
  proxies.networks_ = std::move(*networks);
  return proxies;
}

Origin TrustedProxies::resolve(const Request& request, Origin direct) const {
  Origin origin = direct;
  if (const auto proto = request.header("x-forwarded-proto")) {
    const std::string_view scheme = last_element(*proto);
    if (equals_ignoring_case(scheme, "https")) {
      origin.scheme = "https";
    } else if (equals_ignoring_case(scheme, "http")) {
      origin.scheme = "http";
    }
  }
  if (const auto field = request.header("x-forwarded-host")) {
    const std::string_view host = last_element(*field);
    if (!host.empty() && all_in(host, kHostCharacter)) {
      origin.host = host;
    }
  }
  // Several fields form one list (RFC 9110 section 5.3): walk fields and elements from the end.
  std::size_t hops = 0;
  for (auto field = request.headers.rbegin(); field != request.headers.rend(); ++field) {
    if (!equals_ignoring_case(field->name, "x-forwarded-for")) {
      continue;
    }
    std::string_view list = field->value;
    while (!list.empty() && ++hops <= kHopsMax) {
      const std::string_view hop = without_port(last_element(list));
      if (!Address::parse(hop)) {
        return origin;
      }
      origin.client_address = hop;
      if (!trusts(hop)) {
        return origin;
      }
      const std::size_t comma = list.rfind(',');
      list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
    }
  }
  return origin;
}

}  // namespace roadstead::http
