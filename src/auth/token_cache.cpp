#include "auth/internal/token_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace roadstead::auth::internal {
namespace {

/// What an entry costs besides the token's own text: nodes, the principal and its scopes.
constexpr std::size_t kEntryBytes = 512;

}  // namespace

std::size_t TokenCache::TailHash::operator()(std::string_view token) const {
  // The last character of a signature holds four bits only; those before hold six.
  std::array<std::uint64_t, 2> tail{};
  const std::size_t count = std::min(token.size(), sizeof tail);
  std::memcpy(tail.data(), token.data() + token.size() - count, count);
  return tail[0] * 0x9e3779b97f4a7c15U ^ tail[1] * 0xc2b2ae3d27d4eb4fU;
}

TokenCache::TokenCache(std::size_t bytes_max) {
  for (std::unique_ptr<Table>& table : tables_) {
    table = std::make_unique<Table>(bytes_max / kShards);
  }
}

TokenCache::Table& TokenCache::table_of(std::string_view token) {
  // Other bits than those that choose the place inside the table.
  return *tables_[(TailHash{}(token) >> 40U) % kShards];
}

std::shared_ptr<const Principal> TokenCache::find(std::string_view token, Time now) {
  auto known = table_of(token).with([&](auto& entries) -> std::shared_ptr<const Principal> {
    const Remembered* entry = entries.find(token);
    return entry != nullptr && now < entry->expires_at ? entry->principal : nullptr;
  });
  (known != nullptr ? hits_ : misses_).fetch_add(1, std::memory_order_relaxed);
  return known;
}

void TokenCache::remember(std::string_view token, std::shared_ptr<const Principal> principal,
                          Time expires_at) {
  table_of(token).with([&](auto& entries) {
    entries.put(token, Remembered{std::move(principal), expires_at}, token.size() + kEntryBytes);
  });
}

}  // namespace roadstead::auth::internal
