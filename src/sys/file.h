#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sys/path_view.h"

namespace roadstead::sys {

/// Owns a file descriptor. Every call below goes through sys/faults.h, so a test can make the N-th
/// one fail. Errors of all functions: system_error() with the path in the message.
class File {
 public:
  enum class Mode {
    kRead,
    kReadWrite,
    kCreateNew,  ///< Fails with kConflict when the path exists. Read and write, mode 0600.
  };
  /// Errors: kNotFound + kStorage when the path does not exist.
  static Result<File> open(PathView path, Mode mode);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  Result<std::uint64_t> size() const;
  /// Reads until `into` is full or the file ends; returns the bytes read.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const;
  /// Writes all of `bytes`, or fails with an unknown part of them written.
  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  Result<void> truncate(std::uint64_t size);
  /// Reserves space, without changing size(), so that later writes need no allocation and a full
  /// disk shows early; a file system that cannot is no error.
  Result<void> preallocate(std::uint64_t offset, std::uint64_t length);
  /// Starts write-back of a range without waiting (sync_file_range), so that the final sync is
  /// short. A hint.
  void start_writeback(std::uint64_t offset, std::uint64_t length);
  /// fdatasync: bytes and size survive power loss once this returns.
  Result<void> sync_data();

 private:
  File(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  std::string path_;
};

/// rename(2). Durable only after sync_directory() of both parents.
Result<void> rename(PathView from, PathView to);
/// unlink(2); an absent file is success.
Result<void> remove(PathView path);
/// rmdir(2); an absent directory is success. False when it is not empty.
Result<bool> remove_directory(PathView path);
Result<bool> exists(PathView path);
/// mkdir(2), mode 0700; false when something has that name already. Durable only after
/// sync_directory() of the parent. Errors: kNotFound when there is no parent.
Result<bool> make_directory(PathView path);
/// mkdir -p, mode 0700, with every created directory's parent synced, so the path survives power
/// loss.
Result<void> make_directories(PathView path);
Result<void> sync_directory(PathView path);
/// Names in a directory, unsorted, without "." and "..".
Result<std::vector<std::string>> list_directory(PathView path);
/// Whole small file (at most `size_max` bytes, else kTooLarge).
Result<std::string> read_file(PathView path, std::size_t size_max);
/// Writes a new file beside `path`, syncs it and renames it over `path`; mode 0600. A reader sees
/// old or new, whole. A crash may leave `<path>.<random>.new` behind.
Result<void> replace_file(PathView path, std::string_view content);
/// Size of the file at `path`. Errors: kNotFound; kConflict when it is not a regular file.
Result<std::uint64_t> file_size(PathView path);
/// Modification time, to notice changed certificates and configuration.
Result<Time> modified_at(PathView path);
/// Bytes that an unprivileged process may still write on the file system of `path`.
Result<std::uint64_t> free_space(PathView path);

/// An exclusive advisory lock on a file, held until destruction or death of the process.
class FileLock {
 public:
  /// Errors: kConflict when another process holds it.
  static Result<FileLock> acquire(PathView path);

 private:
  explicit FileLock(File file) : file_(std::move(file)) {}
  File file_;
};

}  // namespace roadstead::sys
