#pragma once

#include <memory>
#include <optional>
#include <string>

#include "crypto/hasher.h"
#include "storage/blob_store.h"
#include "storage/internal/layout.h"
#include "storage/internal/open_files.h"
#include "storage/internal/upload_token.h"
#include "sys/file.h"

namespace roadstead::storage::internal {

/// Stages bytes in uploads/<uuid> and publishes them by rename. The file is made by the first
/// byte, so an upload that was only announced costs no system call.
class FilesystemWriter final : public BlobWriter {
 public:
  /// `layout` and `open_files` outlive the writer.
  static std::unique_ptr<FilesystemWriter> begin(const Layout& layout, OpenFiles& open_files,
                                                 model::Algorithm algorithm,
                                                 std::uint64_t size_hint);
  static Result<std::unique_ptr<FilesystemWriter>> resume(const Layout& layout,
                                                          OpenFiles& open_files, UploadToken token);
  ~FilesystemWriter() override;

  Result<void> append(std::span<const std::byte> bytes) override;
  [[nodiscard]] std::uint64_t offset() const override { return offset_; }
  Result<std::string> checkpoint() override;
  Result<Location> commit(const model::Digest& expected) override;
  void replace_existing() override { replace_ = true; }
  Result<void> discard() override;

 private:
  enum class State { kOpen, kCommitted, kDiscarded };

  FilesystemWriter(const Layout& layout, OpenFiles& open_files, std::string uuid,
                   crypto::Hasher hasher)
      : layout_(layout),
        open_files_(open_files),
        uuid_(std::move(uuid)),
        hasher_(std::move(hasher)) {}

  Result<void> require_open() const;
  Result<void> ensure_file();
  Result<void> reserve(std::uint64_t end);
  void start_writeback();
  Result<void> verify(const model::Digest& expected) const;
  Result<Place> place_of(const model::Digest& digest) const;
  Result<bool> is_published(const Place& place) const;
  Result<void> sync_staged();
  Result<void> name(const Place& place);
  Result<void> publish(const Place& place);

  const Layout& layout_;
  OpenFiles& open_files_;
  std::string uuid_;
  crypto::Hasher hasher_;
  std::optional<sys::File> file_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_hint_ = 0;
  std::uint64_t reserved_ = 0;   ///< End of the preallocated range.
  std::uint64_t writeback_ = 0;  ///< End of the range whose write-back was started.
  bool checkpointed_ = false;
  bool replace_ = false;
  State state_ = State::kOpen;
};

}  // namespace roadstead::storage::internal
