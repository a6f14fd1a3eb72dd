#pragma once

#include <array>
#include <mutex>
#include <string_view>

namespace roadstead::storage {

/// Serialises "publish, then row" and "row gone, then unlink" of one digest inside this process, so
/// that a delete can never hit a newer upload of the same path (architecture.md section 5).
/// Striped: two digests may share a lock, so hold one at most.
class DigestLocks {
 public:
  [[nodiscard]] std::unique_lock<std::mutex> lock(std::string_view digest);

 private:
  std::array<std::mutex, 1024> stripes_;
};

}  // namespace roadstead::storage
