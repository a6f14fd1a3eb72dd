#include "auth/basic_cache.h"

#include <array>

#include "base/text.h"
#include "crypto/hasher.h"
#include "sys/process.h"

namespace roadstead::auth {
namespace {

std::string random_secret() {
  std::array<std::byte, 32> bytes{};
  sys::random_bytes(bytes);
  return std::string(text_of(bytes));
}

}  // namespace

BasicCache::BasicCache(const Clock& clock, std::size_t entries_max)
    : clock_(clock), secret_(random_secret()), entries_(entries_max) {}

std::string BasicCache::key_of(std::string_view credentials) const {
  return crypto::hmac_sha256(secret_, credentials);
}

std::optional<BasicCache::Entry> BasicCache::find(std::string_view credentials) {
  const std::string key = key_of(credentials);
  const Time now = clock_.now();
  return entries_.with([&](LruMap<Timed>& entries) -> std::optional<Entry> {
    const Timed* timed = entries.find(key);
    if (timed == nullptr) {
      return std::nullopt;
    }
    // A clock that was set back must not prolong an entry.
    if (now < timed->verified_at || now - timed->verified_at >= kLifetime) {
      entries.erase(key);
      return std::nullopt;
    }
    return timed->entry;
  });
}

void BasicCache::remember(std::string_view credentials, Entry entry) {
  const std::string key = key_of(credentials);
  const Time now = clock_.now();
  entries_.with([&](LruMap<Timed>& entries) { entries.put(key, Timed{std::move(entry), now}); });
}

void BasicCache::forget(std::string_view credentials) {
  const std::string key = key_of(credentials);
  entries_.with([&](LruMap<Timed>& entries) { entries.erase(key); });
}

}  // namespace roadstead::auth
