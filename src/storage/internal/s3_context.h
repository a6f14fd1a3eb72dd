#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/blob_store.h"
#include "storage/internal/s3_client.h"
#include "storage/internal/s3_parts.h"
#include "sys/thread_pool.h"

namespace roadstead::storage::internal {

/// What the store and its writers share. Outlives the writers.
struct S3Context {
  explicit S3Context(const S3Options& options);

  S3Client client;
  BufferBudget budget;
  PartSchedule schedule;
  // Last: what is queued here uses the others.
  sys::ThreadPool pool;

  /// "<prefix>blobs/<uuid>"
  [[nodiscard]] std::string blob_key(std::string_view uuid) const;
  /// "<prefix>uploads/<uuid>/<name>"; without a name what all names of an upload begin with.
  [[nodiscard]] std::string tail_key(std::string_view uuid, std::string_view name = {}) const;
  /// Of a location that this store may have given out. Errors: kInvalid + kBlob.
  [[nodiscard]] Result<std::string> key_of(const Location& location) const;
  /// The location of a key; nothing when the key is none of a blob.
  [[nodiscard]] std::optional<Location> location_of(std::string_view key) const;

  Result<void> put(const std::string& key, S3Body body);
  /// Absent ones are success.
  Result<void> remove(std::vector<std::string> keys);
  /// Every key that begins with `prefix`, 100,000 at most.
  Result<std::vector<ListedObject>> list(const std::string& prefix);
  Result<ObjectPage> list_page(const std::string& prefix, const NamedValues& more);
  Result<void> abort_upload(const std::string& key, const std::string& id);
  Result<void> remove_tails(std::string_view uuid);
  /// Multipart uploads of keys that begin with `prefix`, 100,000 at most.
  Result<std::vector<ListedUpload>> list_uploads(const std::string& prefix);
  /// The headers of a request that makes an object.
  [[nodiscard]] NamedValues object_headers() const;

 private:
  Result<void> remove_batch(const std::vector<std::string>& keys);
  Result<void> remove_one(const std::string& key);
};

/// Below the prefix.
inline constexpr std::string_view kS3Blobs = "blobs/";
inline constexpr std::string_view kS3Uploads = "uploads/";
inline constexpr std::string_view kS3Distribution = "docker/registry/v2/blobs/";

}  // namespace roadstead::storage::internal
