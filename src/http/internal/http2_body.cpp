#include <algorithm>
#include <cstring>
#include <utility>

#include "http/internal/http2_connection.h"
#include "http/internal/http2_stream.h"
#include "http/internal/loop.h"
#include "http/internal/serving.h"

namespace roadstead::http {

void Http2Stream::on_data(std::string_view bytes) {
  nghttp2_session_consume_connection(connection_.session(), bytes.size());
  connection_.on_bytes_moved(bytes.size());
  switch (state_) {
    case State::kBody:
      take_body(bytes);
      return;
    case State::kOpening:
    case State::kUpload:
      exchange_->body_bytes += bytes.size();
      moved_ += bytes.size();
      unread_ += bytes.size();
      if (state_ == State::kUpload && exchange_->body.empty()) {
        bytes.remove_prefix(fill_buffer(bytes));
      }
      exchange_->body.append(bytes);
      if (state_ == State::kUpload) {
        advance_upload();
      }
      return;
    default:
      return;  // Nobody wants it. The stream's window is left to run out.
  }
}

void Http2Stream::on_end() {
  exchange_->body_complete = true;
  if (state_ == State::kBody) {
    body_arrived();
  } else if (state_ == State::kUpload) {
    advance_upload();
  }
}

/// Starts gathering a body in memory.
void Http2Stream::begin_body() {
  Exchange& exchange = *exchange_;
  exchange.body.reserve(exchange.head.content_length.value_or(0));
  state_ = State::kBody;
  send_continue();
}

void Http2Stream::take_body(std::string_view bytes) {
  Exchange& exchange = *exchange_;
  exchange.body_bytes += bytes.size();
  moved_ += bytes.size();
  if (exchange.body.size() + bytes.size() > exchange.body_max) {
    refuse_size();
    return;
  }
  if (!connection_.hold(bytes.size())) {
    refuse(503, "too many bodies at once");
    return;
  }
  held_ += bytes.size();
  exchange.body.append(bytes);
  nghttp2_session_consume_stream(connection_.session(), id_, bytes.size());
}

void Http2Stream::refuse_size() {
  if (exchange_->endpoint->body_mode() == BodyMode::kNone) {
    refuse(400, "no body is expected here");
  } else {
    refuse(413, "body too large");
  }
}

void Http2Stream::body_arrived() {
  exchange_->request.body = exchange_->body.text();
  dispatch();
}

void Http2Stream::send_continue() {
  if (!exchange_->head.expect_continue || exchange_->body_complete || exchange_->body_bytes > 0) {
    return;
  }
  std::string name = ":status";
  std::string value = "100";
  const nghttp2_nv status{reinterpret_cast<std::uint8_t*>(name.data()),
                          reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(),
                          NGHTTP2_NV_FLAG_NONE};
  nghttp2_submit_headers(connection_.session(), NGHTTP2_FLAG_NONE, id_, nullptr, &status, 1,
                         nullptr);
}

void Http2Stream::on_upload_opened() {
  Exchange& exchange = *exchange_;
  if (exchange.upload) {
    connection_.loop().uploads.fetch_add(1, std::memory_order_relaxed);
  }
  if (exchange.job_failed) {
    refuse(500, "internal server error");
    return;
  }
  if (exchange.job_response) {
    respond(std::move(*exchange.job_response));
    return;
  }
  send_continue();
  state_ = State::kUpload;
  moved_ = 0;
  watched_ = false;
  widen_window();
  advance_upload();
}

/// Somebody wants this body: the client may fill both buffers ahead of us, unless too many others
/// on this connection may do so already.
void Http2Stream::widen_window() {
  const std::size_t wide = 2 * connection_.loop().limits().upload_buffer_bytes;
  if (wide <= window_ || wide > INT32_MAX || !connection_.enter_wide_upload()) {
    return;
  }
  wide_ = true;
  window_ = wide;
  nghttp2_session_set_local_window_size(connection_.session(), NGHTTP2_FLAG_NONE, id_,
                                        static_cast<std::int32_t>(wide));
}

/// Copies as much as fits into the buffer that is filling, and returns how much that is.
std::size_t Http2Stream::fill_buffer(std::string_view bytes) {
  Upload& upload = *exchange_->upload;
  auto& buffer = upload.buffers.at(upload.filling);
  if (!buffer) {
    buffer = connection_.loop().take_upload_buffer();
  }
  std::size_t& filled = upload.filled.at(upload.filling);
  const std::size_t count =
      std::min(bytes.size(), connection_.loop().limits().upload_buffer_bytes - filled);
  std::memcpy(buffer.get() + filled, bytes.data(), count);
  filled += count;
  return count;
}

/// Gives the filled buffer to the pool when that is idle and enough has come, or all of it.
void Http2Stream::advance_upload() {
  Exchange& exchange = *exchange_;
  Upload& upload = *exchange.upload;
  const auto take_waiting = [&] {
    if (!exchange.body.empty()) {
      exchange.body.remove_front(fill_buffer(exchange.body.text()));
    }
  };
  take_waiting();
  if (job_running_) {
    return;
  }
  if (exchange.body_complete && exchange.body.empty()) {
    upload.writing = upload.filling;
    state_ = State::kJob;
    resume(Job::kFinish);
    return;
  }
  // With half of the window acknowledged at a time the client never has to stop for us.
  const std::size_t enough = std::min(connection_.loop().limits().upload_buffer_bytes, window_ / 2);
  if (upload.filled.at(upload.filling) >= enough) {
    upload.writing = upload.filling;
    upload.filling ^= 1U;
    resume(Job::kWrite);
    take_waiting();
  }
}

void Http2Stream::on_upload_written() {
  Exchange& exchange = *exchange_;
  Upload& upload = *exchange.upload;
  const std::size_t written = std::exchange(upload.filled.at(upload.writing), 0);
  if (upload.refusal) {
    refuse(upload.refusal->status, upload.refusal->reason);
    return;
  }
  if (exchange.job_failed) {
    refuse(500, "internal server error");
    return;
  }
  if (exchange.job_response) {
    respond(std::move(*exchange.job_response));
    return;
  }
  if (unread_ >= window_) {
    // Time spent waiting for the pool is not the client's.
    moved_ = 0;
    watched_ = false;
  }
  unread_ -= written;
  nghttp2_session_consume_stream(connection_.session(), id_, written);
  advance_upload();
}

void Http2Stream::refuse_upload(Refusal refusal) {
  if (job_running_) {
    exchange_->upload->refusal = refusal;
    state_ = State::kRefusing;
  } else {
    refuse(refusal.status, refusal.reason);
  }
}

void Http2Stream::end_body() {
  if (std::exchange(wide_, false)) {
    connection_.leave_wide_upload();
  }
  connection_.release(std::exchange(held_, 0));
}

}  // namespace roadstead::http
