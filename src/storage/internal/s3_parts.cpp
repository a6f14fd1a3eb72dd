#include "storage/internal/s3_parts.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "sys/process.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::uint64_t kPartsOfOneSize = 1'000;

}  // namespace

std::uint64_t PartSchedule::size(std::uint64_t number) const {
  const std::uint64_t doublings = (number - 1) / kPartsOfOneSize;
  return std::min(first_ << doublings, kPartSizeMax);
}

std::optional<std::uint64_t> PartSchedule::early_size(std::uint64_t number) const {
  if (number > kPartsMax / 2) {
    return std::nullopt;
  }
  return kPartSizeMin;
}

BufferBudget::Block BufferBudget::take() {
  return state_.with([&](State& state) -> Block {
    if (state.used == blocks_max_) {
      return nullptr;
    }
    ++state.used;
    if (state.spare.empty()) {
      return std::make_unique_for_overwrite<std::byte[]>(kBlock);
    }
    Block block = std::move(state.spare.back());
    state.spare.pop_back();
    return block;
  });
}

void BufferBudget::give_back(std::vector<Block> blocks) {
  state_.with([&](State& state) {
    state.used -= blocks.size();
    while (!blocks.empty() && state.spare.size() < kSpareMax) {
      state.spare.push_back(std::move(blocks.back()));
      blocks.pop_back();
    }
  });
}

std::uint64_t BufferBudget::used() const {
  return state_.with([](const State& state) { return state.used * kBlock; });
}

PartBuffer::~PartBuffer() {
  budget_.give_back(std::move(blocks_));
}

bool PartBuffer::grow() {
  auto block = size_ + kBlock > kMemoryMax ? nullptr : budget_.take();
  if (block == nullptr) {
    return false;
  }
  blocks_.push_back(std::move(block));
  return true;
}

void PartBuffer::append_in_memory(std::span<const std::byte> bytes) {
  std::memcpy(blocks_.back().get() + size_ % kBlock, bytes.data(), bytes.size());
  size_ += bytes.size();
}

/// Moves what there is to a file.
Result<void> PartBuffer::spill() {
  const std::filesystem::path path = spool_ / ("part-" + sys::random_uuid());
  sys::File file = TRY(sys::File::open(path.string(), sys::File::Mode::kCreateNew));
  // From now on it goes when we do, however that happens.
  TRY(sys::remove(path.string()));
  for (std::uint64_t at = 0; at < size_; at += kBlock) {
    const std::size_t n = std::min<std::uint64_t>(kBlock, size_ - at);
    TRY(file.write_at(at, std::span(blocks_[at / kBlock].get(), n)));
  }
  file_ = std::move(file);
  budget_.give_back(std::exchange(blocks_, {}));
  return {};
}

Result<void> PartBuffer::append(std::span<const std::byte> bytes) {
  while (!bytes.empty() && in_memory()) {
    if (size_ == blocks_.size() * kBlock && !grow()) {
      TRY(spill());
      break;
    }
    const std::size_t n = std::min<std::size_t>(bytes.size(), kBlock - size_ % kBlock);
    append_in_memory(bytes.first(n));
    bytes = bytes.subspan(n);
  }
  if (!bytes.empty()) {
    TRY(file_->write_at(size_, bytes));
    size_ += bytes.size();
  }
  return {};
}

Result<std::size_t> PartBuffer::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (file_) {
    return file_->read_at(offset, into);
  }
  std::size_t done = 0;
  while (done < into.size() && offset + done < size_) {
    const std::uint64_t at = offset + done;
    const std::size_t n = std::min({into.size() - done, std::size_t{kBlock - at % kBlock},
                                    static_cast<std::size_t>(size_ - at)});
    std::memcpy(into.data() + done, blocks_[at / kBlock].get() + at % kBlock, n);
    done += n;
  }
  return done;
}

}  // namespace roadstead::storage::internal
