#include "storage/internal/filesystem_writer.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "sys/process.h"

namespace roadstead::storage::internal {
namespace {

// Early write-back keeps the final sync short without costing processor time.
constexpr std::uint64_t kWritebackStep = std::uint64_t{8} << 20;
// The size of an upload is what its client announced: reserve no more than this ahead of the bytes
// that really came.
constexpr std::uint64_t kReserveStep = std::uint64_t{64} << 20;
constexpr std::size_t kReadBuffer = std::size_t{1} << 20;

Result<crypto::Hasher> hash_file(const sys::File& file, model::Algorithm algorithm,
                                 std::uint64_t size) {
  crypto::Hasher hasher(algorithm);
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(kReadBuffer, size)));
  while (hasher.length() < size) {
    const std::uint64_t rest = size - hasher.length();
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), rest));
    const std::size_t n = TRY(file.read_at(hasher.length(), std::span(buffer).first(want)));
    if (n == 0) {
      return Error{Code::kInternal, Subject::kStorage, file.path() + " became shorter", {}};
    }
    hasher.update(std::span(buffer).first(n));
  }
  return hasher;
}

}  // namespace

std::unique_ptr<FilesystemWriter> FilesystemWriter::begin(const Layout& layout,
                                                          OpenFiles& open_files,
                                                          model::Algorithm algorithm,
                                                          std::uint64_t size_hint) {
  std::unique_ptr<FilesystemWriter> writer(
      new FilesystemWriter(layout, open_files, sys::random_uuid(), crypto::Hasher(algorithm)));
  writer->size_hint_ = size_hint;
  return writer;
}

Result<std::unique_ptr<FilesystemWriter>> FilesystemWriter::resume(const Layout& layout,
                                                                   OpenFiles& open_files,
                                                                   UploadToken token) {
  if (!token.hasher) {
    return Error{Code::kInvalid, Subject::kUpload, "the token is for discarding only", {}};
  }
  std::unique_ptr<FilesystemWriter> writer(
      new FilesystemWriter(layout, open_files, std::move(token.uuid), *std::move(token.hasher)));
  writer->offset_ = token.offset;
  writer->writeback_ = token.offset;
  writer->reserved_ = token.offset;
  writer->checkpointed_ = true;
  Result<sys::File> file =
      sys::File::open(layout.upload(writer->uuid_), sys::File::Mode::kReadWrite);
  if (!file && file.error().code == Code::kNotFound) {
    if (token.offset == 0) {
      return writer;  // Nothing was staged yet.
    }
    return upload_unknown(writer->uuid_);
  }
  if (!file) {
    return std::move(file).error();
  }
  const std::uint64_t size = TRY(file->size());
  if (size < token.offset) {
    return upload_unknown(writer->uuid_);
  }
  if (size > token.offset) {
    TRY(file->truncate(token.offset));
  }
  writer->file_ = std::move(file).value();
  return writer;
}

FilesystemWriter::~FilesystemWriter() {
  if (state_ == State::kOpen && !checkpointed_ && file_) {
    // Should it fail, stale_uploads() finds the file later.
    static_cast<void>(sys::remove(file_->path()));
  }
}

Result<void> FilesystemWriter::require_open() const {
  if (state_ != State::kOpen) {
    return upload_unknown(uuid_);
  }
  return {};
}

Result<void> FilesystemWriter::ensure_file() {
  if (!file_) {
    file_ = TRY(sys::File::open(layout_.upload(uuid_), sys::File::Mode::kCreateNew));
  }
  return {};
}

Result<void> FilesystemWriter::reserve(std::uint64_t end) {
  if (end <= reserved_ || reserved_ >= size_hint_) {
    return {};
  }
  const std::uint64_t until = std::min(size_hint_, std::max(end, reserved_ + kReserveStep));
  TRY(file_->preallocate(reserved_, until - reserved_));
  reserved_ = until;
  return {};
}

void FilesystemWriter::start_writeback() {
  if (offset_ - writeback_ >= kWritebackStep) {
    file_->start_writeback(writeback_, offset_ - writeback_);
    writeback_ = offset_;
  }
}

Result<void> FilesystemWriter::append(std::span<const std::byte> bytes) {
  TRY(require_open());
  TRY(ensure_file());
  TRY(reserve(offset_ + bytes.size()));
  // Written before it is hashed: after a failed write the writer still stands at offset().
  TRY(file_->write_at(offset_, bytes));
  hasher_.update(bytes);
  offset_ += bytes.size();
  start_writeback();
  return {};
}

Result<std::string> FilesystemWriter::checkpoint() {
  TRY(require_open());
  checkpointed_ = true;
  return UploadToken{uuid_, offset_, hasher_}.to_string();
}

Result<void> FilesystemWriter::verify(const model::Digest& expected) const {
  const bool same_algorithm = expected.algorithm() == hasher_.algorithm();
  const std::string actual =
      same_algorithm ? hasher_.hex_digest()
                     : TRY(hash_file(*file_, expected.algorithm(), offset_)).hex_digest();
  if (actual != expected.hex()) {
    const auto digest = model::Digest::from_hex(expected.algorithm(), actual);
    return Error{Code::kDigestMismatch, Subject::kDigest,
                 "content does not have the digest it was announced under", digest.to_string()};
  }
  return {};
}

/// Where the digest goes: where distribution's layout has it already, else into a file of its own.
Result<Place> FilesystemWriter::place_of(const model::Digest& digest) const {
  if (layout_.taken_over()) {
    Place present{Shape::kDistribution, digest};
    if (TRY(sys::exists(layout_.data(present)))) {
      return present;
    }
  }
  return Place{Shape::kFile, digest};
}

/// Whether a blob of this digest and size is there. One of another size is not ours: something
/// outside damaged it, and publishing replaces it.
Result<bool> FilesystemWriter::is_published(const Place& place) const {
  const Result<std::uint64_t> size = sys::file_size(layout_.data(place));
  if (!size) {
    return size.error().code == Code::kNotFound ? Result<bool>(false) : size.error();
  }
  return *size == offset_;
}

Result<void> FilesystemWriter::sync_staged() {
  if (reserved_ > offset_) {
    TRY(file_->truncate(offset_));  // Gives back what was reserved and never came.
    reserved_ = offset_;
  }
  const Result<void> synced = file_->sync_data();
  if (!synced) {
    // After a failed sync the kernel counts the lost pages as clean, so a second one would succeed
    // wrongly. Nobody may build on these bytes again.
    static_cast<void>(discard());
  }
  return synced;
}

Result<void> FilesystemWriter::name(const Place& place) {
  TRY(sync_staged());
  const std::string data = layout_.data(place);
  Result<void> renamed = sys::rename(file_->path(), data);
  if (!renamed && renamed.error().code == Code::kNotFound) {
    TRY(sys::make_directories(layout_.directory(place)));  // Somebody removed what was prepared.
    renamed = sys::rename(file_->path(), data);
  }
  TRY(renamed);
  open_files_.forget(data);  // Of damaged content under this name, if there was any.
  return {};
}

/// Each step makes the next one safe: the bytes are durable before they get a name, and the name is
/// durable before anybody hears of it. A crash between two steps leaves the staged file or the
/// whole blob, never a part of one under its digest.
Result<void> FilesystemWriter::publish(const Place& place) {
  if (!replace_ && TRY(is_published(place))) {
    // Published before, also if by this writer in an attempt that failed below. Its bytes were
    // synced before they got the name; whether the name was, nobody knows.
    TRY(sys::remove(file_->path()));
  } else {
    TRY(name(place));
    replace_ = false;  // From now on the name has these bytes, also if a sync below fails.
  }
  return sys::sync_directory(layout_.directory(place));
}

Result<Location> FilesystemWriter::commit(const model::Digest& expected) {
  TRY(require_open());
  TRY(ensure_file());
  TRY(verify(expected));
  const Place place = TRY(place_of(expected));
  TRY(publish(place));
  state_ = State::kCommitted;
  return place.location();
}

Result<void> FilesystemWriter::discard() {
  if (state_ == State::kCommitted) {
    return {};
  }
  state_ = State::kDiscarded;
  if (!file_) {
    return {};
  }
  return sys::remove(layout_.upload(uuid_));
}

}  // namespace roadstead::storage::internal
