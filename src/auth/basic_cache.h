#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/lru_map.h"
#include "base/strong_id.h"

namespace roadstead::auth {

/// Remembers for a short time which Basic credentials were verified, so that a client that sends
/// them with every request costs one hash a minute. Holds no credentials, only HMACs of them under
/// a key that lives in this process. An entry proves the password of one version of the user's
/// row: whoever uses it compares the version with the row. Bounded; thread-safe.
class BasicCache {
 public:
  static constexpr std::chrono::seconds kLifetime{60};

  struct Entry {
    UserId user;
    std::string name;
    std::int64_t credential_version = 0;
  };
  explicit BasicCache(const Clock& clock, std::size_t entries_max = 10'000);

  /// `credentials` is the text after "Basic ".
  std::optional<Entry> find(std::string_view credentials);
  void remember(std::string_view credentials, Entry entry);
  void forget(std::string_view credentials);

 private:
  struct Timed {
    Entry entry;
    Time verified_at;
  };
  [[nodiscard]] std::string key_of(std::string_view credentials) const;

  const Clock& clock_;
  std::string secret_;
  Guarded<LruMap<Timed>> entries_;
};

}  // namespace roadstead::auth
