#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace roadstead::http {

/// How many requests of each client address are on the worker pool. Belongs to one loop and its
/// thread; as large as the number of such requests at most.
class ClientShares {
 public:
  using Entry = std::map<std::string, std::size_t, std::less<>>::value_type;

  /// Of any client that pushes or lists in a usual way, and of one loop only.
  static constexpr std::size_t kModestMax = 16;

  [[nodiscard]] bool modest(std::string_view address) const {
    const auto found = entries_.find(address);
    return found == entries_.end() || found->second < kModestMax;
  }
  /// The entry stays where it is until as many left as entered.
  Entry& enter(std::string_view address) {
    const auto found = entries_.find(address);
    Entry& entry = found != entries_.end() ? *found : *entries_.emplace(address, 0).first;
    ++entry.second;
    return entry;
  }
  void leave(Entry& entry) {
    if (--entry.second == 0) {
      entries_.erase(entries_.find(entry.first));
    }
  }

 private:
  std::map<std::string, std::size_t, std::less<>> entries_;
};

}  // namespace roadstead::http
