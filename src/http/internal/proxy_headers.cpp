#include "http/internal/proxy_headers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/internal/characters.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kHopsMax = 32;
constexpr unsigned kMappedPrefix = 96;

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

bool has_prefix(const Address& address, const Address& block, unsigned bits) {
  const unsigned whole = bits / 8;
  if (std::memcmp(address.bytes.data(), block.bytes.data(), whole) != 0) {
    return false;
  }
  const unsigned rest = bits % 8;
  if (rest == 0) {
    return true;
  }
  const unsigned mask = (0xFFU << (8 - rest)) & 0xFFU;
  return ((address.bytes.at(whole) ^ block.bytes.at(whole)) & mask) == 0;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> zero_terminated{};
  if (text.size() >= zero_terminated.size()) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), zero_terminated.begin());
  Address address;
  if (inet_pton(AF_INET6, zero_terminated.data(), address.bytes.data()) == 1) {
    return address;
  }
  address.bytes.fill(0);
  address.bytes[10] = 0xFF;
  address.bytes[11] = 0xFF;
  if (inet_pton(AF_INET, zero_terminated.data(), address.bytes.data() + 12) == 1) {
    return address;
  }
  return std::nullopt;
}

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& entries) {
  TrustedProxies proxies;
  for (const std::string& entry : entries) {
    const std::string_view text = entry;
    const std::size_t slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    const bool ipv4 = text.substr(0, slash).find(':') == std::string_view::npos;
    const unsigned width = ipv4 ? 32 : 128;
    const auto prefix = slash == std::string_view::npos ? std::optional<std::uint64_t>(width)
                                                        : parse_uint64(text.substr(slash + 1));
    if (!address || !prefix || *prefix > width) {
      return Error{Code::kInvalid, Subject::kNone,
                   "trusted proxy is neither an address nor a CIDR block", entry};
    }
    proxies.blocks_.push_back(
        {*address, static_cast<unsigned>(*prefix) + (ipv4 ? kMappedPrefix : 0)});
  }
  return proxies;
}

bool TrustedProxies::trusts(std::string_view address) const {
  if (blocks_.empty()) {
    return false;
  }
  const auto parsed = Address::parse(address);
  return parsed && std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
           return has_prefix(*parsed, block.address, block.prefix);
         });
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
