#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace roadstead {

/// A map that forgets the entries not used for longest once the sum of the weights is over
/// `weight_max`; an entry weighs 1 unless put() says otherwise. Not thread-safe.
template <typename V, typename Hash = std::hash<std::string_view>>
class LruMap {
 public:
  explicit LruMap(std::size_t weight_max) : weight_max_(weight_max) {}
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
    if (found->second != entries_.begin()) {
      entries_.splice(entries_.begin(), entries_, found->second);
    }
    return &found->second->value;
  }

  /// The newest entry stays, whatever it weighs.
  V& put(std::string_view key, V value, std::size_t weight = 1) {
    erase(key);
    while (!entries_.empty() && weight_ + weight > weight_max_) {
      erase(entries_.back().key);
    }
    entries_.push_front({std::string(key), std::move(value), weight});
    weight_ += weight;
    // The key's text lives in the list node, which never moves.
    index_.emplace(entries_.front().key, entries_.begin());
    return entries_.front().value;
  }

  void erase(std::string_view key) {
    const auto found = index_.find(key);
    if (found != index_.end()) {
      const auto entry = found->second;
      weight_ -= entry->weight;
      index_.erase(found);
      entries_.erase(entry);
    }
  }

  [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
  struct Entry {
    std::string key;
    V value;
    std::size_t weight;
  };
  using Entries = std::list<Entry>;
  std::size_t weight_max_;
  std::size_t weight_ = 0;
  Entries entries_;  ///< Most recently used first.
  std::unordered_map<std::string_view, typename Entries::iterator, Hash> index_;
};

}  // namespace roadstead
