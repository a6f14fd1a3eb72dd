#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http/networks.h"

namespace roadstead::api::oci {

/// Which downloads are sent to the object store itself.
struct RedirectOptions {
  enum class When : std::uint8_t { kNever, kAlways, kLarge };
  When when = When::kNever;
  std::uint64_t size_min = 0;  ///< Of kLarge.
  /// How long a download may take to begin.
  std::chrono::seconds lifetime{20 * 60};
  /// Parts of User-Agent headers, any case, of clients that cannot follow.
  std::vector<std::string> except_agents{};
  /// Addresses and CIDR blocks from which the store cannot be reached.
  std::vector<std::string> except_networks{};
};

/// Immutable: used from many threads.
class RedirectPolicy {
 public:
  RedirectPolicy() = default;  ///< Never.
  /// Errors: kInvalid + kConfiguration naming the entry that is no network.
  static Result<RedirectPolicy> make(RedirectOptions options);
  [[nodiscard]] bool applies(const http::Request& request, std::uint64_t size) const;
  [[nodiscard]] std::chrono::seconds lifetime() const { return options_.lifetime; }
  [[nodiscard]] bool enabled() const { return options_.when != RedirectOptions::When::kNever; }

 private:
  RedirectOptions options_;
  http::Networks networks_;
};

}  // namespace roadstead::api::oci
