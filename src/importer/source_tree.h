#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace roadstead::importer {

/// The storage of another registry, as far as an import looks at it: read, never written to. Paths
/// are relative to its root and use '/'. Used by one thread at a time.
class SourceTree {
 public:
  virtual ~SourceTree() = default;

  /// Names directly in a folder in the order of their bytes, at most `count` behind `after` ("" for
  /// the first page). None for a folder that is not there and for what is no folder. Errors:
  /// kPrecondition + kStorage for a symbolic link, as following it may lead around in a circle.
  virtual Result<std::vector<std::string>> list(const std::string& folder, std::string_view after,
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

}  // namespace roadstead::importer
