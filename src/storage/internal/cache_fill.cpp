#include "storage/internal/cache_fill.h"

#include <algorithm>
#include <vector>

#include "crypto/hasher.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10U;
/// Whoever wants to begin so far behind what is copied does not wait for it.
constexpr std::uint64_t kAheadMax = std::uint64_t{16} << 20U;
/// Between two looks at a copy that does not grow; its thread gives up by itself.
constexpr std::chrono::seconds kWait{1};

}  // namespace

void CacheFill::note(const std::function<void(Progress&)>& change) {
  progress_.with(change);
  changed_.notify_all();
}

Result<void> CacheFill::begin(std::unique_ptr<BlobReader> source) {
  auto file = sys::File::open(path_, sys::File::Mode::kCreateNew);
  if (!file) {
    fail();
    return file.error();
  }
  file_ = std::move(*file);
  source_ = std::move(source);
  note([&](Progress& progress) {
    progress.size = source_->size();
    progress.open = true;
  });
  return {};
}

void CacheFill::fail() {
  if (file_) {
    static_cast<void>(sys::remove(path_));  // At the worst the next start finds it.
  }
  note([](Progress& progress) { progress.failed = true; });
}

std::optional<std::uint64_t> CacheFill::wait_open() {
  return progress_.wait(
      changed_, [](const Progress& progress) { return progress.open || progress.failed; },
      [](const Progress& progress) {
        return progress.failed ? std::nullopt : std::optional(progress.size);
      });
}

Result<void> CacheFill::copy(const std::function<bool()>& go_on) {
  crypto::Hasher hasher(digest_.algorithm());
  std::vector<std::byte> piece(kPiece);
  while (hasher.length() < source_->size()) {
    if (!go_on()) {
      return Error{Code::kUnavailable, Subject::kStorage, "copying was ended", {}};
    }
    const std::size_t n = TRY(source_->read_at(hasher.length(), piece));
    if (n == 0) {
      return Error{Code::kInternal, Subject::kStorage, "the store has less than it said", {}};
    }
    TRY(file_->write_at(hasher.length(), std::span(piece).first(n)));
    hasher.update(std::span(piece).first(n));
    note([&](Progress& progress) { progress.copied = hasher.length(); });
  }
  if (hasher.hex_digest() != digest_.hex()) {
    return Error{Code::kInternal, Subject::kStorage, "the store has other content",
                 digest_.to_string()};
  }
  return file_->sync_data();
}

Result<void> CacheFill::run(const std::function<bool()>& go_on, const std::string& final_path) {
  Result<void> copied = copy(go_on);
  if (copied) {
    copied = sys::rename(path_, final_path);
  }
  source_.reset();
  if (!copied) {
    fail();
    return copied;
  }
  note([](Progress& progress) { progress.whole = true; });
  return {};
}

std::optional<std::size_t> CacheFill::read_at(std::uint64_t offset, std::span<std::byte> into) {
  for (;;) {
    enum class Next { kRead, kWait, kElsewhere };
    Next next = Next::kWait;
    progress_.wait_for(
        changed_, kWait,
        [&](const Progress& progress) {
          const std::uint64_t end = std::min(progress.size, offset + into.size());
          return progress.failed || progress.copied >= end || offset > progress.copied + kAheadMax;
        },
        [&](const Progress& progress) {
          const std::uint64_t end = std::min(progress.size, offset + into.size());
          if (progress.whole || progress.copied >= end) {
            next = Next::kRead;
          } else if (progress.failed || offset > progress.copied + kAheadMax) {
            next = Next::kElsewhere;
          }
        });
    if (next == Next::kElsewhere) {
      return std::nullopt;
    }
    if (next == Next::kRead) {
      const auto got = file_->read_at(offset, into);
      return got ? std::optional(*got) : std::nullopt;
    }
  }
}

Result<std::size_t> FillReader::read_at(std::uint64_t offset, std::span<std::byte> into) {
  if (offset >= size_) {
    return std::size_t{0};
  }
  if (source_ == nullptr) {
    if (const auto got = fill_->read_at(offset, into)) {
      return *got;
    }
    source_ = TRY(open_());
    if (source_->size() != size_) {
      return Error{Code::kInternal, Subject::kStorage, "the store has another length now", {}};
    }
  }
  return source_->read_at(offset, into);
}

}  // namespace roadstead::storage::internal
