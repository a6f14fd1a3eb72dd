#include "http/internal/chunked.h"

#include <algorithm>
#include <cstring>

namespace roadstead::http {
namespace {

constexpr std::uint32_t kDigitsMax = 15;            // 2^60 cannot overflow anything that adds up.
constexpr std::uint32_t kOverheadMax = 16U << 10U;  // Extensions and trailers carry nothing for us.

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_text(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return c == '\t' || (octet >= 0x20 && octet != 0x7F);
}

}  // namespace

ChunkedDecoder::Progress ChunkedDecoder::decode(std::span<const char> input, char* output) {
  Progress progress;
  while (progress.consumed < input.size() && !finished() && !failed()) {
    if (state_ != State::kData) {
      step(input[progress.consumed++]);
      continue;
    }
    const std::size_t bytes = std::min<std::uint64_t>(remaining_, input.size() - progress.consumed);
    char* const to = output + progress.produced;
    const char* const from = input.data() + progress.consumed;
    if (to != from) {
      std::memmove(to, from, bytes);
    }
    progress.consumed += bytes;
    progress.produced += bytes;
    remaining_ -= bytes;
    if (remaining_ == 0) {
      state_ = State::kDataCr;
    }
  }
  return progress;
}

ChunkedDecoder::State ChunkedDecoder::on_size(char c) {
  const int digit = hex_value(c);
  if (digit >= 0 && digits_ < kDigitsMax) {
    remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
    ++digits_;
    return State::kSize;
  }
  if (digit >= 0 || digits_ == 0) {
    return State::kFailed;
  }
  if (c == '\r') {
    return State::kSizeLf;
  }
  return c == ';' ? State::kExtension : State::kFailed;
}

ChunkedDecoder::State ChunkedDecoder::on_size_end() const {
  return remaining_ == 0 ? State::kTrailerStart : State::kData;
}

void ChunkedDecoder::step(char c) {
  switch (state_) {
    case State::kSize:
      state_ = on_size(c);
      return;
    case State::kExtension:
    case State::kTrailer:
      if (c == '\r') {
        state_ = state_ == State::kExtension ? State::kSizeLf : State::kTrailerLf;
      } else if (!is_text(c) || ++overhead_ > kOverheadMax) {
        state_ = State::kFailed;
      }
      return;
    case State::kSizeLf:
      state_ = c == '\n' ? on_size_end() : State::kFailed;
      digits_ = 0;
      return;
    case State::kDataCr:
      state_ = c == '\r' ? State::kDataLf : State::kFailed;
      return;
    case State::kDataLf:
      state_ = c == '\n' ? State::kSize : State::kFailed;
      return;
    case State::kTrailerStart:
      if (c == '\r') {
        state_ = State::kEndLf;
      } else {
        state_ = is_text(c) && c != ' ' && c != '\t' ? State::kTrailer : State::kFailed;
      }
      return;
    case State::kTrailerLf:
      state_ = c == '\n' ? State::kTrailerStart : State::kFailed;
      return;
    case State::kEndLf:
      state_ = c == '\n' ? State::kFinished : State::kFailed;
      return;
    case State::kData:
    case State::kFinished:
    case State::kFailed:
      return;
  }
}

}  // namespace roadstead::http
