#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/internal/http2_head.h"
#include "http/internal/http2_session.h"
#include "http/internal/http2_stream.h"
#include "http/internal/link.h"
#include "http/internal/token_bucket.h"
#include "http/internal/transport.h"

namespace roadstead::http {

class Loop;

/// A socket that speaks HTTP/2: moves bytes between transport and session, owns the streams, and
/// keeps time. What a stream does is in http2_stream.h. When the peer goes away while jobs run, the
/// socket is closed at once and the object waits for the jobs.
class Http2Connection final : public Link {
 public:
  Http2Connection(Loop& loop, Transport transport, Peer peer);
  ~Http2Connection() override;

  void on_event(std::uint32_t events) override;
  void on_timer() override;
  void on_ready() override { pump(); }
  void close_if_idle() override;
  void abandon() override;

  // Called by the session while it reads.
  /// A stream for the request that begins, or null: the peer was told to try again.
  Http2Stream* open_stream(std::int32_t id);
  void on_head_complete();
  [[nodiscard]] Http2Head& head() { return head_; }
  void on_frame(std::uint8_t type, std::size_t length, bool ends_stream);
  void on_reset();  ///< One side gave up a stream.
  // Called by the session while it writes.
  [[nodiscard]] bool has_room_for_frame() const;
  /// The frame's head, then `length` bytes of the stream's body. False when they cannot be read.
  bool put_data(std::string_view head, Http2Stream& stream, std::size_t length);
  // And by both.
  void on_stream_closed(Http2Stream& stream);

  // For streams.
  [[nodiscard]] Loop& loop() { return loop_; }
  [[nodiscard]] nghttp2_session* session() { return session_.get(); }
  [[nodiscard]] std::string& text() { return text_; }
  [[nodiscard]] std::vector<nghttp2_nv>& fields() { return fields_; }
  void on_stream_job_done(Http2Stream& stream);  ///< May end with the connection's destruction.
  void on_bytes_moved(std::size_t bytes);
  /// Wakes up at that time to reset streams.
  void expect_reset(std::chrono::steady_clock::time_point time) {
    reset_due_ = std::min(reset_due_, time);
  }
  void go_away();  ///< No new streams; closes after those that are there.
  /// False when the connection's gathered bodies would hold too much.
  bool hold(std::size_t bytes);
  void release(std::size_t bytes) { held_bytes_ -= bytes; }
  bool enter_wide_upload();
  void leave_wide_upload() { --wide_uploads_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t {
    kOpen,
    kLingering,  ///< Said goodbye: lets the peer read it before the socket closes.
    kGone,       ///< Closed; waits for jobs.
  };
  enum class Step { kWait, kYield, kGone };

  void pump();
  Step advance();
  Step read();
  bool feed(std::string_view bytes);
  Step write();
  Step send_pending();
  bool fill();
  Step send_filled(bool more);
  Step start_linger();
  Step advance_linger();
  void end();
  void calm_down();
  void erase(Http2Stream& stream);

  void set_timer();
  void start_window();
  Step on_window_end();

  Loop& loop_;
  std::optional<Transport> transport_;
  Http2Session session_;
  std::vector<std::unique_ptr<Http2Stream>> streams_;
  std::size_t streams_open_ = 0;  ///< Without those that only wait for a job.
  Http2Head head_;
  bool head_open_ = false;              ///< A header section is coming in.
  Http2Stream* head_stream_ = nullptr;  ///< Whose it is, unless that stream was refused.
  Time head_since_{};
  Time idle_since_;
  Time window_end_{};  ///< Of the rate rule; meaningful while streams are open.
  Time linger_end_{};
  Time reset_due_ = Time::max();  ///< Of the next body that was answered early.
  State state_ = State::kOpen;
  bool served_ = false;  ///< There was a request.
  bool draining_ = false;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool gone_away_ = false;

  std::span<char> room_;  ///< Where put_data() goes while the session writes.
  std::size_t filled_ = 0;
  std::string pending_;           ///< What the socket did not take.
  std::size_t pending_sent_ = 0;  ///< Of pending_.
  std::uint64_t sent_ = 0;        ///< In this rate window.
  bool blocked_all_window_ = false;
  std::uint64_t lingered_ = 0;

  std::uint64_t moved_ = 0;  ///< Body bytes that have not become tokens yet.
  std::size_t held_bytes_ = 0;
  std::size_t wide_uploads_ = 0;
  TokenBucket frames_;
  TokenBucket resets_;
  std::string text_;                ///< For streams that compose an answer.
  std::vector<nghttp2_nv> fields_;  ///< As text_.
};

}  // namespace roadstead::http
