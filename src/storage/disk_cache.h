#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "storage/blob_store.h"

namespace roadstead::storage {

struct DiskCacheOptions {
  std::filesystem::path directory;  ///< Made when absent; belongs to one process at a time.
  std::uint64_t bytes_max = 0;      ///< What all copies together may take.
};

/// A store in front of which copies of its blobs lie in a local directory, those not used for
/// longest going first. Only open_copy() uses them: who checks the store gets the store. The first
/// reader of a blob starts a copy and reads from it while it grows, as do all who come meanwhile:
/// however many want it, the store is asked once. A blob of more than half of the room is not
/// copied.
///
///   <directory>/<algorithm>-<hex>         a copy, whole and verified when it got this name
///   <directory>/<uuid>.part               one that is being made; removed at the next start
///   <directory>/lock
class DiskCache final : public BlobStore {
 public:
  /// Takes over the copies that are there. Errors: kConflict when another process uses the
  /// directory; those of the file system.
  static Result<std::unique_ptr<DiskCache>> open(std::unique_ptr<BlobStore> store,
                                                 const DiskCacheOptions& options);
  ~DiskCache() override;

  struct Statistics {
    std::uint64_t hits = 0;      ///< Reads from a whole copy.
    std::uint64_t joined = 0;    ///< Reads from a copy that was growing.
    std::uint64_t misses = 0;    ///< Reads that started a copy.
    std::uint64_t bypassed = 0;  ///< Reads from the store: no room, or too much to do.
    std::uint64_t failures = 0;  ///< Copies that did not become whole, or were other content.
    std::uint64_t evictions = 0;
    std::uint64_t bytes = 0;
    std::uint64_t blobs = 0;
  };
  [[nodiscard]] Statistics statistics() const;

  [[nodiscard]] StoreTraits traits() const override;
  Result<std::uint64_t> stat(const Location& location) override;
  Result<std::unique_ptr<BlobReader>> open(const Location& location) override;
  Result<std::unique_ptr<BlobReader>> open_copy(const Location& location,
                                                const model::Digest& content,
                                                Reading reading) override;
  Result<std::unique_ptr<BlobWriter>> begin(model::Algorithm algorithm,
                                            std::uint64_t size_hint) override;
  Result<std::unique_ptr<BlobWriter>> resume(const std::string& token) override;
  Result<void> discard(const std::string& token) override;
  Result<void> unlink(const Location& location) override;
  Result<void> sync_removed(std::span<const Location> locations) override;
  Result<std::vector<Location>> list(const std::string& cursor, std::size_t count) override;
  Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) override;
  Result<std::optional<std::uint64_t>> free_space() override;
  PresignedUrls* presigned_urls() override;
  [[nodiscard]] Result<void> check(const Location& location) const override;

 private:
  struct State;
  explicit DiskCache(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::storage
