#include "fsck/internal/known_locations.h"

#include <functional>

namespace roadstead::fsck::internal {
namespace {

constexpr std::size_t kRowsPage = 1'000;

std::uint64_t hash_of(const storage::Location& location) {
  return std::hash<std::string>()(location.value);
}

}  // namespace

Result<void> KnownLocations::refresh(db::Database& database) {
  for (;;) {
    const auto page = TRY(database.read([&](db::ReadSession& session) {
      return registry::blobs_after(session, last_, kRowsPage);
    }));
    if (page.empty()) {
      return {};
    }
    for (const registry::BlobRow& blob : page) {
      hashes_.insert(hash_of(blob.location));
    }
    last_ = page.back().id;
  }
}

bool KnownLocations::contains(const storage::Location& location) const {
  return hashes_.contains(hash_of(location));
}

}  // namespace roadstead::fsck::internal
