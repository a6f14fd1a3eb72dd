#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "backup/source.h"
#include "base/result.h"

namespace roadstead::backup::internal {

/// A hold for as long as this lives, renewed by whoever works under it. A process that dies leaves
/// it to expire.
class HoldKeeper {
 public:
  static Result<std::unique_ptr<HoldKeeper>> take(Source& source, std::string_view owner);
  HoldKeeper(Source& source, std::string id);
  HoldKeeper(const HoldKeeper&) = delete;
  HoldKeeper& operator=(const HoldKeeper&) = delete;
  ~HoldKeeper();

  /// Renews when it is time to; to be called between pieces of work that are shorter than the hold.
  /// Errors: what renew_hold() says; the work is void then.
  Result<void> keep();
  /// Renews now.
  Result<void> renew();

 private:
  Source& source_;
  std::string id_;
  std::chrono::steady_clock::time_point renew_at_;
};

}  // namespace roadstead::backup::internal
