#include "backup/internal/hold_keeper.h"

#include <utility>

namespace roadstead::backup::internal {
namespace {

/// What a crashed copy costs: so long nothing is collected for nobody's sake.
constexpr std::chrono::seconds kDuration{15 * 60};
/// Often enough that a stalled disk or a slow server does not end the hold.
constexpr std::chrono::seconds kRenewEvery{60};

}  // namespace

Result<std::unique_ptr<HoldKeeper>> HoldKeeper::take(Source& source, std::string_view owner) {
  std::string id = TRY(source.take_hold(owner, kDuration));
  return std::make_unique<HoldKeeper>(source, std::move(id));
}

HoldKeeper::HoldKeeper(Source& source, std::string id)
    : source_(source),
      id_(std::move(id)),
      renew_at_(std::chrono::steady_clock::now() + kRenewEvery) {}

HoldKeeper::~HoldKeeper() {
  // Should it fail, the hold expires by itself.
  static_cast<void>(source_.release_hold(id_));
}

Result<void> HoldKeeper::keep() {
  return std::chrono::steady_clock::now() < renew_at_ ? Result<void>() : renew();
}

Result<void> HoldKeeper::renew() {
  const auto now = std::chrono::steady_clock::now();
  TRY(source_.renew_hold(id_, kDuration));
  renew_at_ = now + kRenewEvery;
  return {};
}

}  // namespace roadstead::backup::internal
