#include "http/internal/read_ahead.h"

#include <algorithm>
#include <span>
#include <utility>

namespace roadstead::http {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} << 10U;

}  // namespace

void ReadAhead::start(std::uint64_t offset, std::uint64_t length) {
  offset_ = offset;
  left_ = length;
}

bool ReadAhead::load(BodySource& source) {
  if (!next_.bytes) {
    next_.bytes = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  }
  const std::size_t wanted = std::min<std::uint64_t>(left_, kPieceBytes);
  const auto got =
      source.read(offset_, std::as_writable_bytes(std::span(next_.bytes.get(), wanted)));
  next_.size = got ? std::min(*got, wanted) : 0;
  return next_.size > 0;
}

void ReadAhead::end_load(bool good) {
  loading_ = false;
  failed_ = !good;
  if (failed_) {
    next_.size = 0;
    return;
  }
  offset_ += next_.size;
  left_ -= next_.size;
}

/// Makes the next piece the current one when that is sent.
void ReadAhead::turn_over() {
  if (!loading_ && next_.size > 0 && sent_ == current_.size) {
    std::swap(current_, next_);
    next_.size = 0;
    sent_ = 0;
  }
}

bool ReadAhead::wants_load() {
  turn_over();
  return !loading_ && !failed_ && left_ > 0 && next_.size == 0;
}

std::string_view ReadAhead::ready() {
  turn_over();
  return {current_.bytes.get() + sent_, current_.size - sent_};
}

}  // namespace roadstead::http
