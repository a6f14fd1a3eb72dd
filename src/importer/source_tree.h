#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/s3.h"

namespace roadstead::importer {

/// The storage of another registry, as far as an import looks at it: read, never written to. Paths
/// are relative to its root and use '/'. Used by one thread at a time.
class SourceTree {
 public:
  virtual ~SourceTree() = default;

  struct Page {
    std::vector<std::string> names;  ///< May be none though there are more.
    std::string next;                ///< The cursor of the next page; empty on the last one.
  };
  /// Names directly in a folder, at most `count`; `cursor` is "" for the first page. In an order of
  /// the tree's own; files may be left out. None for a folder that is not there and for what is no
  /// folder. Errors: kPrecondition + kStorage for a symbolic link, as following it may lead around
  /// in a circle.
  virtual Result<Page> list(const std::string& folder, const std::string& cursor,
                            std::size_t count) = 0;
  /// A whole small file. Errors: kNotFound + kStorage, kTooLarge + kStorage.
  virtual Result<std::string> read(const std::string& file, std::size_t size_max) = 0;

  struct Status {
    std::uint64_t size = 0;
    Time modified_at{};
  };
  /// Of a file. Errors: kNotFound + kStorage.
  virtual Result<Status> stat(const std::string& file) = 0;
  /// Reads until `into` is full or the file ends; returns the bytes read.
  virtual Result<std::size_t> read_at(const std::string& file, std::uint64_t offset,
                                      std::span<std::byte> into) = 0;
};

/// A directory of this machine.
std::unique_ptr<SourceTree> open_directory_tree(const std::filesystem::path& root);
/// What is below the prefix in a bucket.
std::unique_ptr<SourceTree> open_object_tree(const storage::S3Options& options);

}  // namespace roadstead::importer
