#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "backup/internal/contents.h"
#include "base/result.h"
#include "sys/file.h"

namespace roadstead::backup::internal {

/// The list of required content beside a copy of the database, written in the order of digests.
class BlobListWriter {
 public:
  static Result<BlobListWriter> create(const std::filesystem::path& path);
  Result<void> add(const RequiredBlob& blob);
  Result<void> finish();

 private:
  explicit BlobListWriter(sys::File file) : file_(std::move(file)) {}
  Result<void> flush();
  sys::File file_;
  std::string buffer_;
  std::uint64_t offset_ = 0;
};

/// Reads it again, a blob at a time.
class BlobListReader {
 public:
  static Result<BlobListReader> open(const std::filesystem::path& path);
  /// Nothing at the end. Errors: kInvalid + kStorage for a line that is none.
  Result<std::optional<RequiredBlob>> next();

 private:
  explicit BlobListReader(sys::File file) : file_(std::move(file)) {}
  Result<std::optional<std::string>> next_line();
  sys::File file_;
  std::string buffer_;
  std::size_t used_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace roadstead::backup::internal
