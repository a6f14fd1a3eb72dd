#include "storage/digest_locks.h"

#include <functional>

namespace roadstead::storage {

std::unique_lock<std::mutex> DigestLocks::lock(std::string_view digest) {
  return std::unique_lock(stripes_[std::hash<std::string_view>()(digest) % stripes_.size()]);
}

}  // namespace roadstead::storage
