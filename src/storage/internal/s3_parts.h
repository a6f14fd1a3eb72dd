#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/guarded.h"
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

/// Memory that parts of all uploads share, in blocks of one size. Some of those that nobody uses
/// are kept: the first touch of fresh memory costs more than all else that is done to its bytes
/// here. Thread-safe.
class BufferBudget {
 public:
  using Block = std::unique_ptr<std::byte[]>;
  static constexpr std::size_t kBlock = std::size_t{1} << 20U;

  explicit BufferBudget(std::uint64_t bytes_max) : blocks_max_(bytes_max / kBlock) {}
  /// Null when there is no room.
  [[nodiscard]] Block take();
  void give_back(std::vector<Block> blocks);
  [[nodiscard]] std::uint64_t used() const;

 private:
  struct State {
    std::uint64_t used = 0;
    std::vector<Block> spare;
  };
  /// Two parts of the usual size: as many as are filled again while one upload goes on.
  static constexpr std::size_t kSpareMax = 16;

  const std::uint64_t blocks_max_;
  Guarded<State> state_;
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

  static constexpr std::size_t kBlock = BufferBudget::kBlock;
  /// Larger parts always go to a file.
  static constexpr std::uint64_t kMemoryMax = 64ULL << 20U;

  BufferBudget& budget_;
  std::filesystem::path spool_;
  std::vector<BufferBudget::Block> blocks_;
  std::optional<sys::File> file_;
  std::uint64_t size_ = 0;
};

}  // namespace roadstead::storage::internal
