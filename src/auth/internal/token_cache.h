#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "auth/principal.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/lru_map.h"

namespace roadstead::auth::internal {

/// Tokens whose signature was verified, by their whole text, with whom they speak for, until they
/// expire. Bounded in bytes. Thread-safe.
class TokenCache {
 public:
  explicit TokenCache(std::size_t bytes_max);

  /// Null when the token is not remembered or has expired by `now`.
  std::shared_ptr<const Principal> find(std::string_view token, Time now);
  /// Only tokens with a valid signature: what strangers make up must not choose their own places
  /// here.
  void remember(std::string_view token, std::shared_ptr<const Principal> principal,
                Time expires_at);

  [[nodiscard]] std::uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t misses() const { return misses_.load(std::memory_order_relaxed); }

 private:
  /// A token ends with its signature, which nobody without the key can choose: its last bytes are
  /// a hash already.
  struct TailHash {
    std::size_t operator()(std::string_view token) const;
  };
  struct Remembered {
    // Owned by the table and by whoever is copying it out after the lock was released.
    std::shared_ptr<const Principal> principal;
    Time expires_at;
  };
  using Table = Guarded<LruMap<Remembered, TailHash>>;
  // Several small locks instead of one that every request takes.
  static constexpr std::size_t kShards = 16;

  Table& table_of(std::string_view token);

  std::array<std::unique_ptr<Table>, kShards> tables_;
  std::atomic<std::uint64_t> hits_ = 0;
  std::atomic<std::uint64_t> misses_ = 0;
};

}  // namespace roadstead::auth::internal
