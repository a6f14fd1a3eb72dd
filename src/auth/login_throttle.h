#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "auth/shared_debts.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/lru_map.h"
#include "base/result.h"

namespace roadstead::auth {

/// Slows password guessing down before anything is hashed. Only failures cost: any number of
/// correct logins run at the same time. A failure takes a token from three buckets that fill again
/// with time: of the account at this address, of the account, and of the address. Whoever logged
/// in to the account from this address before is not held up by what others do to the account, so
/// guessing does not lock a user or a build machine out. Bounded; thread-safe.
///
/// Replicas that share debts count together: what any of them saw fail costs at all of them. Each
/// counts by itself as well and refuses what its own buckets refuse, so the shared ones can only
/// add refusals, and nothing is lost but theirs when they go away.
class LoginThrottle {
 public:
  /// `burst` failures at once, then one per `refill`.
  struct Bucket {
    double burst;
    std::chrono::duration<double> refill;
  };
  struct Options {
    Bucket account_at_address{5, std::chrono::seconds(2)};
    Bucket account{20, std::chrono::seconds(3)};
    Bucket address{50, std::chrono::seconds(1)};
    std::size_t entries_max = 20'000;  ///< Of each kind.
  };
  explicit LoginThrottle(const Clock& clock, SharedDebts* shared = nullptr)
      : LoginThrottle(clock, Options{}, shared) {}
  /// `shared` may be null, and outlives this.
  LoginThrottle(const Clock& clock, Options options, SharedDebts* shared = nullptr);

  /// Errors: kRateLimited + kUser (`detail` = whole seconds to wait, at least 1).
  Result<void> admit(std::string_view account, std::string_view address);
  void failed(std::string_view account, std::string_view address);
  void succeeded(std::string_view account, std::string_view address);

 private:
  struct Level {
    double tokens = 0;
    Time at{};
    bool known_good = false;  ///< Of account_at_address: has logged in before.
  };
  using Levels = LruMap<Level>;
  struct State {
    Levels account_at_address;
    Levels account;
    Levels address;
  };

  double wait_here(const std::string& account, const std::string& address);
  double wait_elsewhere(const std::string& account, const std::string& address);
  static double tokens_at(const Level& level, const Bucket& bucket, Time now);
  static double wait_seconds(Levels& levels, const Bucket& bucket, std::string_view key, Time now);
  static void take(Levels& levels, const Bucket& bucket, std::string_view key, Time now);

  const Clock& clock_;
  Options options_;
  SharedDebts* shared_;
  Guarded<State> state_;
};

}  // namespace roadstead::auth
