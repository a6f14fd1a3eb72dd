#include "http/networks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace roadstead::http {
namespace {

constexpr unsigned kMappedPrefix = 96;

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

Result<Networks> Networks::parse(const std::vector<std::string>& entries) {
  Networks networks;
  for (const std::string& entry : entries) {
    const std::string_view text = entry;
    const std::size_t slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    const bool ipv4 = text.substr(0, slash).find(':') == std::string_view::npos;
    const unsigned width = ipv4 ? 32 : 128;
    const auto prefix = slash == std::string_view::npos ? std::optional<std::uint64_t>(width)
                                                        : parse_uint64(text.substr(slash + 1));
    if (!address || !prefix || *prefix > width) {
      return Error{Code::kInvalid, Subject::kNone, "neither an address nor a CIDR block", entry};
    }
    networks.blocks_.push_back(
        {*address, static_cast<unsigned>(*prefix) + (ipv4 ? kMappedPrefix : 0)});
  }
  return networks;
}

bool Networks::contains(std::string_view address) const {
  if (blocks_.empty()) {
    return false;
  }
  const auto parsed = Address::parse(address);
  return parsed && std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
           return has_prefix(*parsed, block.address, block.prefix);
         });
}

}  // namespace roadstead::http
