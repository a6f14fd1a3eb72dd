#pragma once

#include <cstdint>
#include <unordered_set>

#include "base/result.h"
#include "db/database.h"
#include "registry/check.h"
#include "storage/blob_store.h"

namespace roadstead::fsck::internal {

/// Where rows say that blobs lie, for stores whose locations tell no digest by which a row could be
/// looked up. A hash of each, some 40 bytes: two locations of one hash make a stray pass for known,
/// which harms nobody.
class KnownLocations {
 public:
  /// Adds the rows that were made since the last time. A row that was given another location
  /// meanwhile is missed; who removes something looks at its row once more.
  Result<void> refresh(db::Database& database);
  [[nodiscard]] bool contains(const storage::Location& location) const;

 private:
  std::unordered_set<std::uint64_t> hashes_;
  BlobId last_;
};

}  // namespace roadstead::fsck::internal
