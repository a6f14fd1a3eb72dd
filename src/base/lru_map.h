#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace roadstead::auth::internal {

/// A map of at most `capacity` entries that forgets the one not used for longest. Not thread-safe.
template <typename V>
class LruMap {
 public:
  explicit LruMap(std::size_t capacity) : capacity_(capacity) {}
  LruMap(LruMap&&) noexcept = default;
  LruMap& operator=(LruMap&&) noexcept = default;
  LruMap(const LruMap&) = delete;
  LruMap& operator=(const LruMap&) = delete;
  ~LruMap() = default;

  /// Valid until the next call; null when absent.
  V* find(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) {
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  V& put(std::string_view key, V value) {
    erase(key);
    if (index_.size() >= capacity_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(std::string(key), std::move(value));
    // The key's text lives in the list node, which never moves.
    index_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }

  void erase(std::string_view key) {
    const auto found = index_.find(key);
    if (found != index_.end()) {
      const auto entry = found->second;
      index_.erase(found);
      entries_.erase(entry);
    }
  }

  [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, V>>;
  std::size_t capacity_;
  Entries entries_;  ///< Most recently used first.
  std::unordered_map<std::string_view, typename Entries::iterator> index_;
};

}  // namespace roadstead::auth::internal
