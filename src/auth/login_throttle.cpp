#include "auth/login_throttle.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "base/text.h"

namespace roadstead::auth {
namespace {

// Attempts that were admitted before the first of them failed may overdraw a bucket by this much.
constexpr double kDebtMax = 20;

std::string account_key(std::string_view account) {
  return to_lower(account.substr(0, 255));
}

/// A whole /64 is one client: anybody with IPv6 has at least that many addresses.
std::string address_key(std::string_view address) {
  address = address.substr(0, 64);
  std::array<std::byte, 16> bytes{};
  if (inet_pton(AF_INET6, std::string(address).c_str(), bytes.data()) != 1) {
    return std::string(address);
  }
  return to_hex(std::span<const std::byte>(bytes).first(8));
}

std::string pair_key(const std::string& account, const std::string& address) {
  return account + '\0' + address;
}

/// How long the replicas together remember who has signed in from where.
constexpr std::chrono::milliseconds kKnownFor = std::chrono::hours(24 * 30);

// Keys of what replicas share. A letter in front tells the kinds apart, as all are in one place.
std::string shared_pair(const std::string& account, const std::string& address) {
  return "b" + pair_key(account, address);
}
std::string shared_account(const std::string& account) {
  return "u" + account;
}
std::string shared_address(const std::string& address) {
  return "a" + address;
}
std::string shared_known(const std::string& account, const std::string& address) {
  return "k" + pair_key(account, address);
}

/// A failure, as time: a bucket lacks its debt divided by `refill` tokens.
SharedDebts::Debt debt_of(std::string key, const LoginThrottle::Bucket& bucket) {
  const auto time = [&](double tokens) {
    return std::chrono::ceil<std::chrono::milliseconds>(tokens * bucket.refill);
  };
  return {std::move(key), time(1), time(bucket.burst + kDebtMax)};
}

double wait_seconds(const LoginThrottle::Bucket& bucket, std::chrono::milliseconds owed) {
  const std::chrono::duration<double> seconds = owed - (bucket.burst - 1) * bucket.refill;
  return std::max(0.0, seconds.count());
}

}  // namespace

LoginThrottle::LoginThrottle(const Clock& clock, Options options, SharedDebts* shared)
    : clock_(clock),
      options_(options),
      shared_(shared),
      state_(State{Levels(options.entries_max), Levels(options.entries_max),
                   Levels(options.entries_max)}) {}

double LoginThrottle::tokens_at(const Level& level, const Bucket& bucket, Time now) {
  const std::chrono::duration<double> passed = now - level.at;
  const double gained = std::max(0.0, passed / bucket.refill);
  return std::min(bucket.burst, level.tokens + gained);
}

double LoginThrottle::wait_seconds(Levels& levels, const Bucket& bucket, std::string_view key,
                                   Time now) {
  Level* level = levels.find(key);
  if (level == nullptr) {
    return 0;
  }
  // A clock that was set back must not stop the bucket from filling.
  level->at = std::min(level->at, now);
  const double missing = 1 - tokens_at(*level, bucket, now);
  return missing <= 0 ? 0 : missing * bucket.refill.count();
}

void LoginThrottle::take(Levels& levels, const Bucket& bucket, std::string_view key, Time now) {
  Level* level = levels.find(key);
  if (level == nullptr) {
    level = &levels.put(key, Level{.tokens = bucket.burst, .at = now, .known_good = false});
  }
  level->tokens = std::max(-kDebtMax, tokens_at(*level, bucket, now) - 1);
  level->at = now;
}

double LoginThrottle::wait_here(const std::string& account, const std::string& address) {
  const Time now = clock_.now();
  return state_.with([&](State& state) {
    const std::string both = pair_key(account, address);
    double longest = wait_seconds(state.account_at_address, options_.account_at_address, both, now);
    const Level* known = state.account_at_address.find(both);
    if (known == nullptr || !known->known_good) {
      longest = std::max(longest, wait_seconds(state.account, options_.account, account, now));
      longest = std::max(longest, wait_seconds(state.address, options_.address, address, now));
    }
    return longest;
  });
}

double LoginThrottle::wait_elsewhere(const std::string& account, const std::string& address) {
  const std::array keys{shared_pair(account, address), shared_known(account, address),
                        shared_account(account), shared_address(address)};
  const auto owed = shared_->owed(keys);
  if (!owed) {
    return 0;
  }
  double longest = auth::wait_seconds(options_.account_at_address, owed->at(0));
  if (owed->at(1).count() == 0) {
    longest = std::max(longest, auth::wait_seconds(options_.account, owed->at(2)));
    longest = std::max(longest, auth::wait_seconds(options_.address, owed->at(3)));
  }
  return longest;
}

Result<void> LoginThrottle::admit(std::string_view account, std::string_view address) {
  const std::string name = account_key(account);
  const std::string from = address_key(address);
  double wait = wait_here(name, from);
  if (wait <= 0 && shared_ != nullptr) {
    wait = wait_elsewhere(name, from);
  }
  if (wait <= 0) {
    return {};
  }
  const auto seconds = static_cast<long>(std::ceil(wait));
  return Error{Code::kRateLimited, Subject::kUser, "too many failed sign-ins, try again later",
               std::to_string(seconds)};
}

void LoginThrottle::failed(std::string_view account, std::string_view address) {
  const std::string name = account_key(account);
  const std::string from = address_key(address);
  const Time now = clock_.now();
  state_.with([&](State& state) {
    take(state.account_at_address, options_.account_at_address, pair_key(name, from), now);
    take(state.account, options_.account, name, now);
    take(state.address, options_.address, from, now);
  });
  if (shared_ != nullptr) {
    shared_->add(std::array{debt_of(shared_pair(name, from), options_.account_at_address),
                            debt_of(shared_account(name), options_.account),
                            debt_of(shared_address(from), options_.address)});
  }
}

void LoginThrottle::succeeded(std::string_view account, std::string_view address) {
  const std::string name = account_key(account);
  const std::string from = address_key(address);
  const std::string both = pair_key(name, from);
  const Time now = clock_.now();
  state_.with([&](State& state) {
    // What was lost to typing errors is given back; the account's and the address's buckets are
    // not, or a guesser with an account of his own would refill them.
    state.account_at_address.put(
        both, Level{.tokens = options_.account_at_address.burst, .at = now, .known_good = true});
  });
  if (shared_ != nullptr) {
    shared_->set(std::array{
        SharedDebts::Debt{shared_pair(name, from), {}, {}},
        SharedDebts::Debt{shared_known(name, from), kKnownFor, kKnownFor},
    });
  }
}

}  // namespace roadstead::auth
