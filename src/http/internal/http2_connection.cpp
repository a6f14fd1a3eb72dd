#include "http/internal/http2_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10U;
constexpr std::size_t kReadStep = std::size_t{512} << 10U;  // Then the others get their turn.
constexpr std::size_t kWriteStep = std::size_t{1} << 20U;
// Frames are gathered up to this much and then written; what a slow reader leaves of it is kept.
constexpr std::size_t kChunkBytes = std::size_t{64} << 10U;
constexpr std::size_t kFrameBytesMax = 16'384 + 9;
constexpr std::size_t kRecordBytes = 16'384;  // Of TLS: whole ones cost least.
// Answers to control frames that wait for a peer who does not read: then we do not read either.
constexpr std::size_t kUnsentFramesMax = 256;
constexpr std::size_t kHeldBytesMax = std::size_t{32} << 20U;
constexpr std::size_t kWideUploadsMax = 8;
constexpr std::chrono::seconds kLingerTime{5};
constexpr std::chrono::seconds kLingerTimeOfDrain{1};
constexpr std::uint64_t kLingerBytesMax = std::uint64_t{16} << 20U;

// A frame that neither begins a request nor moves a body costs a token; what it serves earns some:
// clients send up to one WINDOW_UPDATE for each 2 KiB they read.
constexpr TokenBucket::Rule kFrameRule{1000, 10};
constexpr std::int64_t kTokensPerRequest = 10;
constexpr std::uint64_t kBytesPerToken = 1024;
// Streams that are begun and given up (CVE-2023-44487), by the client or because of what it sent.
constexpr TokenBucket::Rule kResetRule{200, 33};

}  // namespace

Http2Connection::Http2Connection(Loop& loop, Transport transport, Peer peer)
    : Link(std::move(peer)),
      loop_(loop),
      transport_(std::move(transport)),
      session_(open_http2_session(*this, loop.limits())),
      idle_since_(loop.now()),
      frames_(kFrameRule, loop.now()),
      resets_(kResetRule, loop.now()) {
  set_timer();
}

Http2Connection::~Http2Connection() = default;

void Http2Connection::on_event(std::uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    hung_up_ = true;
    readable_ = true;
  }
  if ((events & EPOLLIN) != 0) {
    readable_ = true;
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
    writable_ = true;
  }
  pump();
}

void Http2Connection::pump() {
  if (state_ == State::kGone) {
    return;
  }
  switch (advance()) {
    case Step::kYield:
      loop_.make_ready(*this);
      [[fallthrough]];
    case Step::kWait:
      set_timer();
      return;
    case Step::kGone:
      end();
      return;
  }
}

Http2Connection::Step Http2Connection::advance() {
  if (!session_) {
    return Step::kGone;
  }
  if (state_ == State::kLingering) {
    return advance_linger();
  }
  const Step reading = read();
  if (reading == Step::kGone) {
    return Step::kGone;
  }
  if (loop_.draining() && served_ && streams_open_ == 0) {
    go_away();
  }
  const Step writing = write();
  if (writing == Step::kGone) {
    return Step::kGone;
  }
  if (pending_.empty() && nghttp2_session_want_read(session_.get()) == 0 &&
      nghttp2_session_want_write(session_.get()) == 0) {
    return start_linger();
  }
  return reading == Step::kYield || writing == Step::kYield ? Step::kYield : Step::kWait;
}

Http2Connection::Step Http2Connection::read() {
  std::size_t budget = kReadStep;
  while (readable_) {
    if (!pending_.empty() &&
        nghttp2_session_get_outbound_queue_size(session_.get()) > kUnsentFramesMax) {
      return Step::kWait;  // Until the peer reads.
    }
    const std::span<char> into = loop_.scratch().first(kReadBytes);
    const IoResult got = transport_->read(into);
    if (got.kind == IoResult::Kind::kBlocked) {
      readable_ = false;
    } else if (got.kind != IoResult::Kind::kMoved || !feed({into.data(), got.bytes})) {
      return Step::kGone;
    } else if (got.bytes < into.size() && !hung_up_ && transport_->short_read_drains()) {
      readable_ = false;
    }
    budget -= std::min(budget, got.bytes);
    if (readable_ && (budget == 0 || loop_.late())) {
      loop_.read_clock();
      return Step::kYield;
    }
  }
  return Step::kWait;
}

/// False when the peer does not speak HTTP/2, or floods us.
bool Http2Connection::feed(std::string_view bytes) {
  return nghttp2_session_mem_recv(session_.get(),
                                  reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                  bytes.size()) >= 0;
}

Http2Connection::Step Http2Connection::write() {
  std::size_t budget = kWriteStep;
  filled_ = 0;
  room_ = loop_.scratch().first(kChunkBytes + 2 * kFrameBytesMax);
  for (;;) {
    const Step step = send_pending();
    if (step != Step::kYield) {
      return step;
    }
    if (!fill()) {
      return Step::kGone;
    }
    const bool full = filled_ >= kChunkBytes;
    budget -= std::min(budget, filled_);
    if (filled_ > 0 && send_filled(full && budget > 0) == Step::kGone) {
      return Step::kGone;
    }
    if (!full) {
      return Step::kWait;
    }
    if (budget == 0) {
      loop_.read_clock();
      return Step::kYield;
    }
  }
}

/// kYield when nothing is left that the socket did not take.
Http2Connection::Step Http2Connection::send_pending() {
  while (pending_sent_ < pending_.size()) {
    if (!writable_) {
      return Step::kWait;
    }
    const IoResult sent =
        transport_->write(std::string_view(pending_).substr(pending_sent_), {}, false);
    if (sent.kind == IoResult::Kind::kBlocked) {
      writable_ = false;
    } else if (sent.kind != IoResult::Kind::kMoved) {
      return Step::kGone;
    }
    pending_sent_ += sent.bytes;
    sent_ += sent.bytes;
  }
  if (!pending_.empty()) {
    pending_ = std::string();
    pending_sent_ = 0;
  }
  return Step::kYield;
}

bool Http2Connection::fill() {
  while (filled_ < kChunkBytes) {
    const std::uint8_t* frame = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &frame);
    if (size < 0) {
      return false;
    }
    if (size == 0) {
      return true;  // Nothing left, or put_data() filled the rest.
    }
    std::memcpy(room_.data() + filled_, frame, static_cast<std::size_t>(size));
    filled_ += static_cast<std::size_t>(size);
  }
  return true;
}

bool Http2Connection::has_room_for_frame() const {
  return filled_ < kChunkBytes;
}

bool Http2Connection::put_data(std::string_view head, Http2Stream& stream, std::size_t length) {
  if (!stream.copy_data(room_.subspan(filled_ + head.size(), length))) {
    return false;
  }
  std::memcpy(room_.data() + filled_, head.data(), head.size());
  filled_ += head.size() + length;
  return true;
}

/// With `more` to come the last bytes wait for a whole record.
Http2Connection::Step Http2Connection::send_filled(bool more) {
  const std::size_t wanted = more ? filled_ - filled_ % kRecordBytes : filled_;
  std::size_t done = 0;
  while (done < wanted && writable_) {
    const IoResult sent = transport_->write({room_.data() + done, wanted - done}, {}, false);
    if (sent.kind == IoResult::Kind::kBlocked) {
      writable_ = false;
    } else if (sent.kind != IoResult::Kind::kMoved) {
      return Step::kGone;
    }
    done += sent.bytes;
  }
  sent_ += done;
  const std::size_t rest = filled_ - done;
  if (!writable_) {
    pending_.assign(room_.data() + done, rest);
    filled_ = 0;
  } else {
    std::memmove(room_.data(), room_.data() + done, rest);
    filled_ = rest;
  }
  return Step::kWait;
}

Http2Stream* Http2Connection::open_stream(std::int32_t id) {
  served_ = true;
  head_open_ = true;
  head_since_ = loop_.now();
  if (streams_.size() >= loop_.limits().streams_per_connection_max) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return nullptr;
  }
  if (streams_open_++ == 0) {
    start_window();
  }
  frames_.earn(kTokensPerRequest);
  streams_.push_back(std::make_unique<Http2Stream>(*this, id));
  Http2Stream& stream = *streams_.back();
  stream.index = streams_.size() - 1;
  head_stream_ = &stream;
  head_.begin(stream.exchange().in,
              {loop_.limits().header_bytes_max, loop_.limits().header_fields_max});
  constexpr nghttp2_extpri kEqual{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  nghttp2_session_change_extpri_stream_priority(session_.get(), id, &kEqual, 1);
  return &stream;
}

void Http2Connection::on_head_complete() {
  head_open_ = false;
  head_stream_ = nullptr;
}

void Http2Connection::on_frame(std::uint8_t type, std::size_t length, bool ends_stream) {
  const bool useful =
      type == NGHTTP2_HEADERS || (type == NGHTTP2_DATA && length > 0) || ends_stream;
  if (!useful && !frames_.spend(1, loop_.now())) {
    calm_down();
  }
}

void Http2Connection::on_reset() {
  if (!resets_.spend(1, loop_.now())) {
    calm_down();
  }
}

void Http2Connection::on_bytes_moved(std::size_t bytes) {
  moved_ += bytes;
  frames_.earn(static_cast<std::int64_t>(moved_ / kBytesPerToken));
  moved_ %= kBytesPerToken;
}

/// Ends all streams; what still comes in is ignored.
void Http2Connection::calm_down() {
  gone_away_ = true;
  nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Connection::go_away() {
  if (!std::exchange(gone_away_, true)) {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                          nullptr, 0);
  }
}

bool Http2Connection::hold(std::size_t bytes) {
  if (held_bytes_ + bytes > kHeldBytesMax) {
    return false;
  }
  held_bytes_ += bytes;
  return true;
}

bool Http2Connection::enter_wide_upload() {
  if (wide_uploads_ == kWideUploadsMax) {
    return false;
  }
  ++wide_uploads_;
  return true;
}

void Http2Connection::on_stream_closed(Http2Stream& stream) {
  if (&stream == head_stream_) {
    head_stream_ = nullptr;
  }
  if (--streams_open_ == 0) {
    idle_since_ = loop_.now();
  }
  if (stream.close()) {
    erase(stream);
  }
}

void Http2Connection::on_stream_job_done(Http2Stream& stream) {
  if (stream.is_finished()) {
    erase(stream);
  }
  if (state_ == State::kGone && streams_.empty()) {
    loop_.destroy(*this);
    return;
  }
  pump();
}

void Http2Connection::erase(Http2Stream& stream) {
  const std::size_t at = stream.index;
  std::swap(streams_[at], streams_.back());
  streams_[at]->index = at;
  streams_.pop_back();
}

void Http2Connection::end() {
  state_ = State::kGone;
  loop_.wheel().cancel(*this);
  if (transport_->tls() != nullptr) {
    transport_->tls()->close_notify();
  }
  transport_.reset();
  for (std::size_t i = streams_.size(); i-- > 0;) {
    if (streams_[i]->close()) {
      erase(*streams_[i]);
    }
  }
  session_.reset();
  if (streams_.empty()) {
    loop_.destroy(*this);
  }
}

void Http2Connection::abandon() {
  if (state_ != State::kGone) {
    end();
  }
}

/// Closing a socket with unread bytes resets it, and the reset may overtake our last frames.
Http2Connection::Step Http2Connection::start_linger() {
  transport_->shutdown_write();
  state_ = State::kLingering;
  linger_end_ = loop_.now() + (loop_.draining() ? kLingerTimeOfDrain : kLingerTime);
  return advance_linger();
}

Http2Connection::Step Http2Connection::advance_linger() {
  const IoResult got = transport_->discard(loop_.scratch());
  if (got.kind == IoResult::Kind::kMoved) {
    lingered_ += got.bytes;
    return lingered_ > kLingerBytesMax ? Step::kGone : Step::kYield;
  }
  return got.kind == IoResult::Kind::kBlocked ? Step::kWait : Step::kGone;
}

}  // namespace roadstead::http
