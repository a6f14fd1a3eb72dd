#include "http/internal/outgoing.h"

#include <algorithm>
#include <charconv>

#include "http/internal/status.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kInlineBodyMax = std::size_t{16} << 10U;  // Copying is cheaper than writev.
constexpr std::size_t kKeptHeadMax = std::size_t{32} << 10U;
constexpr std::uint64_t kFileStep = std::uint64_t{1} << 20U;

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

Outgoing::Part Outgoing::choose_part(const Response& response, const Framing& framing) {
  const std::uint64_t total =
      framing.head_only ? response.content_length() : body_length(response.body());
  const bool partial = framing.selection.kind == Selection::Kind::kPartial;
  status_ = partial                                                   ? 206
            : framing.selection.kind == Selection::Kind::kNotModified ? 304
                                                                      : response.status();
  offset_ = partial ? framing.selection.offset : 0;
  remaining_ = partial ? framing.selection.length : total;
  return {status_, offset_, remaining_, total, partial};
}

void Outgoing::start(Response response, const Framing& framing) {
  const Part part = choose_part(response, framing);
  write_head(response, framing, part.total);
  head_bytes_ = head_.size();
  if (framing.head_only || !status_has_body(status_)) {
    remaining_ = 0;
  }
  auto* text = std::get_if<std::string>(&response.body());
  if (text != nullptr && remaining_ <= kInlineBodyMax) {
    head_.append(*text, offset_, remaining_);
    remaining_ = 0;
  }
  // Kept even when nothing of it is sent: a source must be destroyed on the worker pool.
  body_ = std::move(response.body());
  if (has_source()) {
    ahead_.start(offset_, remaining_);
  }
}

void Outgoing::write_head(const Response& response, const Framing& framing, std::uint64_t total) {
  head_.append(status_line(status_)).append(framing.date).append(response.header_block());
  if (framing.selection.kind == Selection::Kind::kPartial) {
    head_.append("Content-Range: bytes ");
    append_number(head_, offset_);
    head_.append("-");
    append_number(head_, offset_ + remaining_ - 1);
    head_.append("/");
    append_number(head_, total);
    head_.append("\r\n");
  }
  if (status_has_body(status_)) {
    head_.append("Content-Length: ");
    append_number(head_, remaining_);
    head_.append("\r\n");
  }
  if (!framing.request_id.empty()) {
    head_.append("X-Request-Id: ").append(framing.request_id).append("\r\n");
  }
  head_.append(framing.close ? "Connection: close\r\n\r\n" : "\r\n");
}

Outgoing::Step Outgoing::advance(Transport& transport, std::span<char> scratch) {
  if (head_sent_ < head_.size()) {
    const Step step = send_head(transport);
    if (step != Step::kDone) {
      return step;
    }
  }
  if (remaining_ == 0) {
    return Step::kDone;
  }
  if (std::holds_alternative<FileRegion>(body_)) {
    return send_file(transport, scratch);
  }
  return std::holds_alternative<std::string>(body_) ? send_text(transport) : send_piece(transport);
}

Outgoing::Step Outgoing::send_head(Transport& transport) {
  while (head_sent_ < head_.size()) {
    const std::string_view rest = std::string_view(head_).substr(head_sent_);
    std::string_view body;
    if (const auto* text = std::get_if<std::string>(&body_); text != nullptr && remaining_ > 0) {
      body = std::string_view(*text).substr(offset_, remaining_);
    }
    const IoResult sent = transport.write(rest, body, remaining_ > body.size());
    if (sent.kind != IoResult::Kind::kMoved) {
      return sent.kind == IoResult::Kind::kBlocked ? Step::kBlocked : Step::kFailed;
    }
    const std::size_t of_head = std::min(sent.bytes, rest.size());
    head_sent_ += of_head;
    offset_ += sent.bytes - of_head;
    remaining_ -= sent.bytes - of_head;
    body_sent_ += sent.bytes - of_head;
  }
  return Step::kDone;
}

Outgoing::Step Outgoing::send_text(Transport& transport) {
  const auto& text = *std::get_if<std::string>(&body_);
  while (remaining_ > 0) {
    const IoResult sent =
        transport.write(std::string_view(text).substr(offset_, remaining_), {}, false);
    if (sent.kind != IoResult::Kind::kMoved) {
      return sent.kind == IoResult::Kind::kBlocked ? Step::kBlocked : Step::kFailed;
    }
    offset_ += sent.bytes;
    remaining_ -= sent.bytes;
    body_sent_ += sent.bytes;
  }
  return Step::kDone;
}

Outgoing::Step Outgoing::send_file(Transport& transport, std::span<char> scratch) {
  const auto& region = *std::get_if<FileRegion>(&body_);
  std::uint64_t budget = kFileStep;
  while (remaining_ > 0 && budget > 0) {
    const IoResult sent = transport.send_file(region.file->descriptor(), region.offset + offset_,
                                              std::min(remaining_, budget), scratch);
    if (sent.kind != IoResult::Kind::kMoved) {
      // kEnded: the file is shorter than promised; the client must not take that for the whole.
      return sent.kind == IoResult::Kind::kBlocked ? Step::kBlocked : Step::kFailed;
    }
    offset_ += sent.bytes;
    remaining_ -= sent.bytes;
    body_sent_ += sent.bytes;
    budget -= std::min<std::uint64_t>(budget, sent.bytes);
  }
  return remaining_ == 0 ? Step::kDone : Step::kYield;
}

bool Outgoing::load_piece() {
  return ahead_.load(**std::get_if<std::unique_ptr<BodySource>>(&body_));
}

Outgoing::Step Outgoing::send_piece(Transport& transport) {
  const std::string_view ready = ahead_.ready();
  if (ready.empty()) {
    return ahead_.failed() ? Step::kFailed : Step::kNeedPiece;
  }
  for (std::size_t done = 0; done < ready.size();) {
    const IoResult sent = transport.write(ready.substr(done), {}, remaining_ > ready.size() - done);
    if (sent.kind != IoResult::Kind::kMoved) {
      return sent.kind == IoResult::Kind::kBlocked ? Step::kBlocked : Step::kFailed;
    }
    done += sent.bytes;
    ahead_.sent(sent.bytes);
    offset_ += sent.bytes;
    remaining_ -= sent.bytes;
    body_sent_ += sent.bytes;
  }
  return remaining_ == 0 ? Step::kDone : Step::kYield;
}

std::uint64_t Outgoing::body_bytes_sent() const {
  return body_sent_ + (head_sent_ > head_bytes_ ? head_sent_ - head_bytes_ : 0);
}

bool Outgoing::has_source() const {
  return std::holds_alternative<std::unique_ptr<BodySource>>(body_);
}

Response::Body Outgoing::take_body() {
  return std::exchange(body_, std::monostate());
}

void Outgoing::reset() {
  status_ = 0;
  head_.clear();
  if (head_.capacity() > kKeptHeadMax) {
    head_.shrink_to_fit();
  }
  head_sent_ = 0;
  head_bytes_ = 0;
  body_ = std::monostate();
  offset_ = 0;
  remaining_ = 0;
  body_sent_ = 0;
  ahead_ = ReadAhead();
}

}  // namespace roadstead::http
