#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roadstead::http {

/// An IPv4 or IPv6 address; IPv4 is kept in its IPv6-mapped form so that both compare alike.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  static std::optional<Address> parse(std::string_view text);
};

/// Some addresses and blocks of addresses.
class Networks {
 public:
  /// Errors: kInvalid with the entry that is neither an address nor a CIDR block in `detail`.
  static Result<Networks> parse(const std::vector<std::string>& entries);
  /// False for what is no address.
  [[nodiscard]] bool contains(std::string_view address) const;

 private:
  struct Block {
    Address address;
    unsigned prefix = 128;
  };
  std::vector<Block> blocks_;
};

}  // namespace roadstead::http
