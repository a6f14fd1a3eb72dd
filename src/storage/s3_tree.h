#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/s3.h"

namespace roadstead::storage {

/// What other software keeps in a bucket, seen as folders and files: read, never written to. Paths
/// are relative to the prefix of the options and use '/'. Used by one thread at a time. Errors of
/// all: kUnavailable + kStorage when the store does not answer after as many attempts as the
/// options say; kInternal + kStorage with its code when it refuses.
class S3Tree {
 public:
  /// Asks for nothing yet.
  explicit S3Tree(const S3Options& options);
  ~S3Tree();
  S3Tree(const S3Tree&) = delete;
  S3Tree& operator=(const S3Tree&) = delete;

  struct Page {
    std::vector<std::string> names;  ///< May be none though there are more.
    std::string next;                ///< The cursor of the next page; empty on the last one.
  };
  /// Names of the folders directly in a folder, which is all keys that begin with "<folder>/": at
  /// most `count` of them, 1,000 at once. `cursor` is empty for the first page.
  Result<Page> folders(const std::string& folder, const std::string& cursor, std::size_t count);

  struct Status {
    std::uint64_t size = 0;
    Time modified_at{};
  };
  /// Of a file. Errors: kNotFound + kStorage.
  Result<Status> stat(const std::string& file);
  /// A whole small file. Errors: kNotFound + kStorage, kTooLarge + kStorage.
  Result<std::string> read(const std::string& file, std::size_t size_max);
  /// Reads until `into` is full or the file ends; returns the bytes read. What is read from its
  /// beginning to its end is one stream. Errors: kNotFound + kStorage.
  Result<std::size_t> read_at(const std::string& file, std::uint64_t offset,
                              std::span<std::byte> into);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::storage
