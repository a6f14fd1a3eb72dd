#include <algorithm>
#include <utility>

#include "http/internal/connection.h"
#include "http/internal/loop.h"
#include "http/internal/serving.h"

namespace roadstead::http {
namespace {

constexpr std::uint64_t kWholeUploadMax = std::uint64_t{256} << 10U;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

/// Starts gathering a body in memory with what came along with the head.
Connection::Step Connection::begin_body() {
  Exchange& exchange = *exchange_;
  const std::size_t head = exchange.consumed;
  const std::size_t here = exchange.in.size() - head;
  if (!exchange.head.chunked && here >= exchange.body_left) {
    // The usual case: the whole body is in the buffer already and stays there.
    exchange.body_bytes = exchange.body_left;
    exchange.request.body = exchange.in.text().substr(head, exchange.body_left);
    exchange.consumed += exchange.body_left;
    exchange.body_left = 0;
    exchange.body_complete = true;
    return dispatch();
  }
  const std::span<const char> rest(exchange.in.data() + head, here);
  exchange.consumed = exchange.in.size();
  take_body_bytes(rest);
  if (!exchange.leftover.empty()) {
    exchange.consumed -= exchange.leftover.size();  // It is in `in` already.
    exchange.leftover.clear();
  }
  if (exchange.head.expect_continue && here == 0 && !exchange.body_complete && !send_continue()) {
    return Step::kGone;
  }
  state_ = State::kBody;
  moved_ = 0;
  set_timer(Timer::kRate, loop_.limits().body_rate_window);
  return check_body();
}

/// Appends decoded bytes to the body; what lies behind its end goes to `leftover`.
bool Connection::take_body_bytes(std::span<const char> bytes) {
  Exchange& exchange = *exchange_;
  if (!exchange.head.chunked) {
    exchange.body.append({bytes.data(), bytes.size()});
    exchange.body_left -= bytes.size();
    exchange.body_complete = exchange.body_left == 0;
  } else {
    const std::size_t needed = exchange.body.size() + bytes.size();
    if (needed > exchange.body.capacity()) {
      exchange.body.reserve(std::max(needed, exchange.body.capacity() * 2));
    }
    const auto progress = exchange.chunked.decode(bytes, exchange.body.room().data());
    exchange.body.commit(progress.produced);
    exchange.body_complete = exchange.chunked.finished();
    exchange.leftover.append(bytes.data() + progress.consumed, bytes.size() - progress.consumed);
  }
  exchange.body_bytes = exchange.body.size();
  return true;
}

Connection::Step Connection::check_body() {
  Exchange& exchange = *exchange_;
  if (exchange.chunked.failed()) {
    exchange.leftover.clear();
    return refuse(400, "malformed chunked body");
  }
  if (exchange.body.size() > exchange.body_max) {
    const bool none = exchange.endpoint->body_mode() == BodyMode::kNone;
    return none ? refuse(400, "no body is expected here") : refuse(413, "body too large");
  }
  return exchange.body_complete ? body_arrived() : Step::kAgain;
}

Connection::Step Connection::advance_body() {
  Exchange& exchange = *exchange_;
  if (!readable_) {
    return Step::kWait;
  }
  std::span<char> into = loop_.scratch();
  if (!exchange.head.chunked) {
    into = into.first(std::min<std::uint64_t>(into.size(), exchange.body_left));
  }
  const IoResult got = receive(into);
  if (got.kind == IoResult::Kind::kMoved) {
    take_body_bytes(into.first(got.bytes));
    return check_body();
  }
  return got.kind == IoResult::Kind::kBlocked ? Step::kWait : Step::kGone;
}

Connection::Step Connection::body_arrived() {
  timer_ = Timer::kNone;
  exchange_->request.body = exchange_->body.text();
  return dispatch();
}

/// The interim answer is tiny and the socket empty; a client that cannot take it is gone.
bool Connection::send_continue() {
  const IoResult sent = transport_->write(kContinue, {}, false);
  return sent.kind == IoResult::Kind::kMoved && sent.bytes == kContinue.size();
}

/// Small bodies are gathered first: one trip to the pool instead of two. Of others the first buffer
/// is filled before anything is opened, unless the client waits to hear that it may send.
Connection::Step Connection::begin_upload() {
  Exchange& exchange = *exchange_;
  const bool small =
      exchange.head.content_length && *exchange.head.content_length <= kWholeUploadMax;
  if (exchange.head.expect_continue) {
    return submit(Job::kOpen);
  }
  if (small) {
    exchange.body_max = kWholeUploadMax;
    return begin_body();
  }
  exchange.upload = std::make_unique<Upload>();
  start_receiving();
  return Step::kAgain;
}

void Connection::start_receiving() {
  loop_.uploads.fetch_add(1, std::memory_order_relaxed);
  state_ = State::kUpload;
  moved_ = 0;
  set_timer(Timer::kRate, loop_.limits().body_rate_window);
}

Connection::Step Connection::advance_upload() {
  Exchange& exchange = *exchange_;
  Upload& upload = *exchange.upload;
  if (exchange.body_complete) {
    return finish_upload();
  }
  const std::size_t capacity = loop_.limits().upload_buffer_bytes;
  if (upload.filled.at(upload.filling) == capacity) {
    if (job_running_) {
      paused_ = true;
      return Step::kWait;
    }
    if (!hand_over(Job::kWrite)) {
      return refuse(503, "server is busy");
    }
  }
  const std::size_t filled = upload.filled.at(upload.filling);
  auto& buffer = upload.buffers.at(upload.filling);
  if (!buffer) {
    buffer = loop_.take_upload_buffer();
  }
  return take_upload_bytes({buffer.get() + filled, capacity - filled});
}

/// Moves bytes from the head's buffer or the socket into `room` and takes the framing out.
Connection::Step Connection::take_upload_bytes(std::span<char> room) {
  Exchange& exchange = *exchange_;
  if (!exchange.head.chunked) {
    room = room.first(std::min<std::uint64_t>(room.size(), exchange.body_left));
  }
  const std::size_t here = exchange.in.size() - exchange.consumed;
  std::size_t count = std::min(room.size(), here);
  const bool from_head = count > 0;
  if (from_head) {
    std::copy_n(exchange.in.data() + exchange.consumed, count, room.data());
    exchange.consumed += count;
  } else {
    if (!readable_) {
      return Step::kWait;
    }
    const IoResult got = receive(room);
    if (got.kind != IoResult::Kind::kMoved) {
      return got.kind == IoResult::Kind::kBlocked ? Step::kWait : Step::kGone;
    }
    count = got.bytes;
  }
  std::size_t produced = count;
  if (exchange.head.chunked) {
    const auto progress = exchange.chunked.decode(room.first(count), room.data());
    produced = progress.produced;
    exchange.body_complete = exchange.chunked.finished();
    const std::size_t behind = count - progress.consumed;
    if (exchange.chunked.failed()) {
      return refuse_upload({400, "malformed chunked body"});
    }
    if (from_head) {
      exchange.consumed -= behind;
    } else {
      exchange.leftover.append(room.data() + progress.consumed, behind);
    }
  } else {
    exchange.body_left -= count;
    exchange.body_complete = exchange.body_left == 0;
  }
  exchange.upload->filled.at(exchange.upload->filling) += produced;
  exchange.body_bytes += produced;
  return Step::kAgain;
}

/// Gives the filled buffer to the pool, which is not busy with the other one, and turns to that.
/// False when the pool is full and knows nothing of this upload yet.
bool Connection::hand_over(Job job) {
  Upload& upload = *exchange_->upload;
  upload.writing = upload.filling;
  upload.filling ^= 1U;
  if (upload.admitted) {
    resume(job);
  } else {
    job_running_ = upload.admitted = submit_job(loop_, *exchange_, job);
  }
  return job_running_;
}

Connection::Step Connection::finish_upload() {
  if (job_running_) {
    return Step::kWait;
  }
  timer_ = Timer::kNone;
  if (!hand_over(Job::kFinish)) {
    return refuse(503, "server is busy");
  }
  state_ = State::kJob;
  return Step::kWait;
}

Connection::Step Connection::on_upload_written() {
  Exchange& exchange = *exchange_;
  Upload& upload = *exchange.upload;
  upload.filled.at(upload.writing) = 0;
  if (upload.refusal) {
    return refuse(upload.refusal->status, upload.refusal->reason);
  }
  if (exchange.job_failed) {
    return refuse(500, "internal server error");
  }
  if (exchange.job_response) {
    return respond(std::move(*exchange.job_response));
  }
  if (std::exchange(paused_, false)) {
    // Time spent waiting for the pool is not the client's.
    moved_ = 0;
    set_timer(Timer::kRate, loop_.limits().body_rate_window);
  }
  return Step::kAgain;
}

Connection::Step Connection::refuse_upload(Refusal refusal) {
  if (job_running_) {
    exchange_->upload->refusal = refusal;
    state_ = State::kRefusing;
    return Step::kWait;
  }
  return refuse(refusal.status, refusal.reason);
}

}  // namespace roadstead::http
