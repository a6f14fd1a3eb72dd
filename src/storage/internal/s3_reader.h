#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/blob_store.h"
#include "storage/internal/s3_client.h"

namespace roadstead::storage::internal {

/// Reads an object as a stream. The whole is one request, as stores send it most cheaply; parts are
/// requests for ranges that grow while it is read on. What breaks is asked for again from where it
/// broke.
class S3Reader final : public BlobReader {
 public:
  /// Begins to read. Errors: kNotFound + kStorage; those of S3Client.
  static Result<std::unique_ptr<S3Reader>> open(S3Client& client, std::string key, Reading reading);

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override;
  [[nodiscard]] std::shared_ptr<const sys::File> file() const override { return nullptr; }

 private:
  S3Reader(S3Client& client, std::string key) : client_(client), key_(std::move(key)) {}
  Result<void> begin();
  Result<void> look();
  Result<void> seek(std::uint64_t offset, std::uint64_t wanted);
  Result<std::size_t> read_some(std::span<std::byte> into);

  S3Client& client_;
  const std::string key_;
  std::uint64_t size_ = 0;
  std::string etag_;
  std::optional<S3Stream> stream_;
  std::uint64_t stream_at_ = 0;  ///< Bytes of the stream that were taken.
  std::uint64_t window_ = 0;     ///< How much the last request asked for.
};

}  // namespace roadstead::storage::internal
