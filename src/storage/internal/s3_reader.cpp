#include "storage/internal/s3_reader.h"

#include <algorithm>

#include "base/text.h"

namespace roadstead::storage::internal {
namespace {

/// The first range: who wants only a piece wastes no more than what is on its way.
constexpr std::uint64_t kWindowMin = 4ULL << 20U;
constexpr std::uint64_t kWindowGrowth = 8;
constexpr std::uint64_t kWindowMax = 1ULL << 30U;

}  // namespace

Result<std::unique_ptr<S3Reader>> S3Reader::open(S3Client& client, std::string key,
                                                 Reading reading) {
  std::unique_ptr<S3Reader> reader(new S3Reader(client, std::move(key)));
  TRY(reading == Reading::kWhole ? reader->begin() : reader->look());
  return reader;
}

Result<void> S3Reader::begin() {
  S3Stream stream = TRY(client_.read(key_, 0, kWholeObject));
  size_ = stream.size;
  etag_ = stream.etag;
  window_ = kWholeObject;
  stream_ = std::move(stream);
  return {};
}

/// Without a stream, that would be broken off to begin elsewhere.
Result<void> S3Reader::look() {
  const HttpAnswer answer = TRY(client_.demand({S3Operation::kHead, "HEAD", key_}));
  const auto size = parse_uint64(answer.header("content-length"));
  if (!size) {
    return refused(answer);
  }
  size_ = *size;
  etag_ = answer.header("etag");
  window_ = kWindowMin;
  return {};
}

/// Makes the stream stand at `offset`.
Result<void> S3Reader::seek(std::uint64_t offset, std::uint64_t wanted) {
  if (stream_) {
    const std::uint64_t at = stream_->offset + stream_at_;
    const bool drained = stream_at_ == stream_->length;
    if (at == offset && !drained) {
      return {};
    }
    window_ =
        at == offset ? std::min(window_ * kWindowGrowth, kWindowMax) : std::max(kWindowMin, wanted);
    stream_.reset();
  }
  S3Stream next = TRY(client_.read(key_, offset, std::min(window_, size_ - offset)));
  if (next.size != size_ || next.etag != etag_) {
    return Error{Code::kInternal, Subject::kStorage,
                 "an object that never changes has become another one", key_};
  }
  stream_ = std::move(next);
  stream_at_ = 0;
  return {};
}

/// Some bytes of the stream, at least one.
Result<std::size_t> S3Reader::read_some(std::span<std::byte> into) {
  const std::size_t wanted = std::min<std::uint64_t>(into.size(), stream_->length - stream_at_);
  auto got = stream_->exchange->read(into.first(wanted));
  if (got && *got > 0) {
    client_.count_received(*got);
    stream_at_ += *got;
    return got;
  }
  return got ? Error{Code::kUnavailable, Subject::kStorage, "the object store sent too little", {}}
             : got.error();
}

Result<std::size_t> S3Reader::read_at(std::uint64_t offset, std::span<std::byte> into) {
  if (offset >= size_) {
    return std::size_t{0};
  }
  into = into.first(std::min<std::uint64_t>(into.size(), size_ - offset));
  std::size_t done = 0;
  unsigned failures = 0;
  while (done < into.size()) {
    TRY(seek(offset + done, into.size() - done));
    const auto got = read_some(into.subspan(done));
    if (got) {
      done += *got;
      failures = 0;
      continue;
    }
    stream_.reset();
    if (++failures >= client_.options().attempts_max) {
      return got.error();
    }
    client_.pause(failures - 1, {});
  }
  return done;
}

}  // namespace roadstead::storage::internal
