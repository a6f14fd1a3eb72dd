#include <algorithm>
#include <utility>

#include "http/internal/http2_connection.h"
#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

constexpr std::chrono::milliseconds kLastRequestTime{1000};  // While draining.

}  // namespace

/// One timer for everything: it is set to what comes first.
void Http2Connection::set_timer() {
  const Limits& limits = loop_.limits();
  Time wake;
  if (state_ == State::kLingering) {
    wake = linger_end_;
  } else if (streams_open_ > 0) {
    wake = window_end_;
  } else if (served_) {
    wake = idle_since_ + limits.idle_time;
  } else {
    wake = idle_since_ +
           (draining_ ? std::min(limits.header_time, kLastRequestTime) : limits.header_time);
  }
  if (head_open_) {
    wake = std::min(wake, head_since_ + limits.header_time);
  }
  if (state_ == State::kOpen) {
    wake = std::min(wake, reset_due_);
  }
  loop_.wheel().schedule(*this, wake);
}

void Http2Connection::on_timer() {
  if (state_ == State::kGone) {
    return;
  }
  const Time now = loop_.now();
  const Limits& limits = loop_.limits();
  if (state_ == State::kLingering) {
    end();
    return;
  }
  if (now >= reset_due_) {
    reset_due_ = Time::max();
    for (const auto& stream : streams_) {
      stream->reset_if_due(now);
    }
  } else if (head_open_ && now >= head_since_ + limits.header_time) {
    head_open_ = false;
    if (head_stream_ != nullptr) {
      std::exchange(head_stream_, nullptr)->on_head_late();
    }
    calm_down();
  } else if (streams_open_ == 0) {
    if (gone_away_) {
      end();  // The peer does not even read the farewell.
      return;
    }
    go_away();
    idle_since_ = now;
  } else if (now >= window_end_ && on_window_end() == Step::kGone) {
    end();
    return;
  }
  pump();
}

void Http2Connection::start_window() {
  window_end_ = loop_.now() + loop_.limits().body_rate_window;
  sent_ = 0;
  blocked_all_window_ = !pending_.empty();
}

/// The minimum rate holds for each transfer, and for a socket that does not drain.
Http2Connection::Step Http2Connection::on_window_end() {
  const Limits& limits = loop_.limits();
  const auto window_ms = static_cast<std::uint64_t>(limits.body_rate_window.count());
  const std::uint64_t wanted = limits.body_rate_min_bytes_per_second * window_ms / 1000;
  if (blocked_all_window_ && !pending_.empty() && sent_ < wanted) {
    return Step::kGone;
  }
  for (const auto& stream : streams_) {
    stream->on_window_end(wanted);
  }
  start_window();
  return Step::kWait;
}

/// Accepted a moment ago: its first request is probably on the way.
void Http2Connection::close_if_idle() {
  if (state_ != State::kOpen) {
    return;
  }
  draining_ = true;
  if (served_) {
    go_away();
    pump();
  } else {
    set_timer();
  }
}

}  // namespace roadstead::http
