#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/file.h"

namespace roadstead::storage::internal {

/// What S3 allows.
inline constexpr std::uint64_t kPartsMax = 10'000;
inline constexpr std::uint64_t kPartSizeMin = 5ULL << 20U;
inline constexpr std::uint64_t kPartSizeMax = 5ULL << 30U;
inline constexpr std::uint64_t kObjectSizeMax = 5ULL << 40U;

/// How large the parts of one object are. The size doubles after every thousand parts, so that
/// 10,000 parts of first 8 MiB reach the largest object, while most blobs have parts that memory
/// bears.
class PartSchedule {
 public:
  /// 8 MiB at least: less would not reach the largest object.
  explicit PartSchedule(std::uint64_t first) : first_(first) {}
  /// Of part `number`, counted from 1 to kPartsMax.
  [[nodiscard]] std::uint64_t size(std::uint64_t number) const;
  /// The smallest size with which a part may be closed early, at a checkpoint; nothing when it may
  /// not: those behind the middle are needed whole to reach the largest object.
  [[nodiscard]] std::optional<std::uint64_t> early_size(std::uint64_t number) const;

 private:
  std::uint64_t first_;
};

/// Memory that parts of all uploads share. Thread-safe.
class BufferBudget {
 public:
  explicit BufferBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  /// False when there is no room.
  [[nodiscard]] bool take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes) { used_ -= bytes; }
  [[nodiscard]] std::uint64_t used() const { return used_; }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> used_{0};
};

/// The bytes of one part. In memory while the budget has room and the part is not too large for it,
/// else in a file without a name. Written by one thread, then read by one.
class PartBuffer {
 public:
  PartBuffer(BufferBudget& budget, std::filesystem::path spool)
      : budget_(budget), spool_(std::move(spool)) {}
  ~PartBuffer();
  PartBuffer(const PartBuffer&) = delete;
  PartBuffer& operator=(const PartBuffer&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool in_memory() const { return !file_.has_value(); }
  /// Errors: those of the file.
  Result<void> append(std::span<const std::byte> bytes);
  /// Reads until `into` is full or the part ends.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  Result<void> spill();
  bool grow();
  void append_in_memory(std::span<const std::byte> bytes);

  static constexpr std::size_t kBlock = std::size_t{1} << 20U;
  /// Larger parts always go to a file.
  static constexpr std::uint64_t kMemoryMax = 64ULL << 20U;

  BufferBudget& budget_;
  std::filesystem::path spool_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::optional<sys::File> file_;
  std::uint64_t size_ = 0;
};

}  // namespace roadstead::storage::internal
