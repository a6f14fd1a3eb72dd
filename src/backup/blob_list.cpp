#include "backup/internal/blob_list.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace roadstead::backup::internal {
namespace {

constexpr std::size_t kBuffer = std::size_t{64} << 10U;

Error no_blob(const sys::File& file) {
  return Error{Code::kInvalid, Subject::kStorage, file.path() + " is damaged", {}};
}

}  // namespace

Result<BlobListWriter> BlobListWriter::create(const std::filesystem::path& path) {
  return BlobListWriter(TRY(sys::File::open(path, sys::File::Mode::kCreateNew)));
}

Result<void> BlobListWriter::add(const RequiredBlob& blob) {
  buffer_ += fmt::format("{} {} {}\n", blob.digest.to_string(), blob.size, blob.location.value);
  return buffer_.size() < kBuffer ? Result<void>() : flush();
}

Result<void> BlobListWriter::flush() {
  TRY(file_.write_at(offset_, bytes_of(buffer_)));
  offset_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<void> BlobListWriter::finish() {
  TRY(flush());
  return file_.sync_data();
}

Result<BlobListReader> BlobListReader::open(const std::filesystem::path& path) {
  return BlobListReader(TRY(sys::File::open(path, sys::File::Mode::kRead)));
}

Result<std::optional<std::string>> BlobListReader::next_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', used_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(used_, end - used_);
      used_ = end + 1;
      return std::optional(std::move(line));
    }
    buffer_.erase(0, used_);
    used_ = 0;
    if (buffer_.size() >= kBuffer) {
      return no_blob(file_);
    }
    std::array<std::byte, kBuffer> piece;
    const std::size_t n = TRY(file_.read_at(offset_, piece));
    if (n == 0) {
      // A line that was cut off is no line.
      return buffer_.empty() ? Result<std::optional<std::string>>(std::optional<std::string>())
                             : Result<std::optional<std::string>>(no_blob(file_));
    }
    buffer_.append(text_of(std::span(piece).first(n)));
    offset_ += n;
  }
}

Result<std::optional<RequiredBlob>> BlobListReader::next() {
  const auto line = TRY(next_line());
  if (!line) {
    return std::optional<RequiredBlob>();
  }
  const auto parts = split(*line, ' ');
  if (parts.size() != 3) {
    return no_blob(file_);
  }
  const auto digest = model::Digest::parse(parts[0]);
  const auto size = parse_int64(parts[1]);
  if (!digest || !size) {
    return no_blob(file_);
  }
  return std::optional(RequiredBlob{*digest, *size, storage::Location{std::string(parts[2])}});
}

}  // namespace roadstead::backup::internal
