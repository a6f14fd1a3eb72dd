#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "model/digest.h"
#include "registry/internal/content.h"
#include "registry/internal/upload_rows.h"
#include "storage/blob_store.h"

namespace roadstead::registry::internal {

/// The bytes of one upload: in memory as long as they may become a row (registry/blob_content.h),
/// from then on staged by the blob store. Small content is hashed once, at its end, and costs
/// neither a file nor a directory at any time. Used by one thread at a time.
class UploadWriter {
 public:
  /// Goes on where `row` stands. `length` is what is announced to come, 0 when that is unknown.
  /// Errors: those of BlobStore::resume().
  static Result<std::unique_ptr<UploadWriter>> open(storage::BlobStore& store, const UploadRow& row,
                                                    std::uint64_t length);

  /// Errors: as BlobWriter::append().
  Result<void> append(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t offset() const;
  /// Whether nothing was staged: then nothing is published either, and the row is all there is.
  [[nodiscard]] bool in_memory() const { return staged_ == nullptr; }
  /// What has to be in the row so that open() goes on from here.
  Result<void> checkpoint(UploadRow& row);
  /// As BlobWriter::commit(). The views live as long as the writer.
  Result<Content> commit(const model::Digest& expected);
  /// See storage::BlobWriter; content that becomes a row replaces what is damaged by itself.
  void replace_existing();
  Result<void> discard();

 private:
  UploadWriter(storage::BlobStore& store, model::Algorithm algorithm)
      : store_(store), algorithm_(algorithm) {}
  Result<void> stage(std::uint64_t size_hint);

  storage::BlobStore& store_;
  model::Algorithm algorithm_;
  std::string bytes_;  ///< While nothing is staged.
  std::unique_ptr<storage::BlobWriter> staged_;
};

}  // namespace roadstead::registry::internal
