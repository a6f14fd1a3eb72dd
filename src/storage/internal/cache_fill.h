#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/guarded.h"
#include "base/result.h"
#include "model/digest.h"
#include "storage/blob_store.h"
#include "sys/file.h"

namespace roadstead::storage::internal {

/// A copy of a blob that is being made: one thread writes, any number reads behind it. Shared by
/// the cache, the thread that makes it and its readers.
class CacheFill {
 public:
  CacheFill(model::Digest digest, std::string path)
      : digest_(std::move(digest)), path_(std::move(path)) {}

  /// Until this or fail() is called, wait_open() waits. `source` is opened at the store.
  Result<void> begin(std::unique_ptr<BlobReader> source);
  /// Size of the blob; nothing when there will be no copy.
  [[nodiscard]] std::optional<std::uint64_t> wait_open();
  /// Copies, verifies and syncs, as long as `go_on` says so, and gives the whole copy its name.
  Result<void> run(const std::function<bool()>& go_on, const std::string& final_path);
  /// Ends it without a copy. By whoever would have called begin() or run() next.
  void fail();

  /// Reads from the copy, waiting for its bytes. Nothing when it fails, or is so far from there
  /// that the store is nearer.
  std::optional<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into);

 private:
  struct Progress {
    bool open = false;
    bool failed = false;
    bool whole = false;
    std::uint64_t size = 0;
    std::uint64_t copied = 0;
  };
  Result<void> copy(const std::function<bool()>& go_on);
  void note(const std::function<void(Progress&)>& change);

  const model::Digest digest_;
  const std::string path_;
  std::unique_ptr<BlobReader> source_;
  std::optional<sys::File> file_;
  Guarded<Progress> progress_;
  std::condition_variable changed_;
};

/// Reads a growing copy, or the store where that is better.
class FillReader final : public BlobReader {
 public:
  using OpenSource = std::function<Result<std::unique_ptr<BlobReader>>()>;
  FillReader(std::shared_ptr<CacheFill> fill, std::uint64_t size, OpenSource open)
      : fill_(std::move(fill)), size_(size), open_(std::move(open)) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override;
  [[nodiscard]] std::shared_ptr<const sys::File> file() const override { return nullptr; }

 private:
  std::shared_ptr<CacheFill> fill_;  // Owned by whoever still reads from it.
  const std::uint64_t size_;
  OpenSource open_;
  std::unique_ptr<BlobReader> source_;
};

}  // namespace roadstead::storage::internal
