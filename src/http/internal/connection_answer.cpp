#include <algorithm>
#include <chrono>
#include <utility>

#include "http/internal/connection.h"
#include "http/internal/loop.h"
#include "http/internal/serving.h"

namespace roadstead::http {
namespace {

constexpr int kRequestsPerTurn = 16;  // Of one pipelining client before the others get theirs.
constexpr std::uint64_t kLingerBytesMax = std::uint64_t{16} << 20U;
constexpr std::chrono::seconds kLingerTime{5};

}  // namespace

/// The edge's own answer. Unless the whole request was read, the connection ends with it.
Connection::Step Connection::refuse(int status, std::string_view reason) {
  Exchange& exchange = *exchange_;
  if (!exchange.head_read) {
    describe_request();
  }
  return respond(refusal(loop_, exchange, status, reason));
}

Connection::Step Connection::respond(Response response) {
  Exchange& exchange = *exchange_;
  if (exchange.upload) {
    end_upload(loop_, exchange);
  }
  timer_ = Timer::kNone;
  const Selection selection = choose_part(loop_, exchange, response);
  exchange.close_after = !exchange.head.keep_alive || !exchange.body_complete ||
                         response.closes_connection() || loop_.draining();
  exchange.out.start(std::move(response),
                     {loop_.date_line(), exchange.context.request_id,
                      exchange.request.method == Method::kHead, exchange.close_after, selection});
  state_ = State::kSending;
  return Step::kAgain;
}

Connection::Step Connection::advance_sending() {
  Exchange& exchange = *exchange_;
  if (!writable_) {
    return Step::kWait;
  }
  if (exchange.out.wants_piece()) {
    exchange.out.begin_piece();
    resume(Job::kPiece);
  }
  const std::uint64_t before = exchange.out.body_bytes_sent();
  const Outgoing::Step step = exchange.out.advance(*transport_, loop_.scratch());
  moved_ += exchange.out.body_bytes_sent() - before;
  switch (step) {
    case Outgoing::Step::kDone:
      return finish_exchange();
    case Outgoing::Step::kBlocked:
      writable_ = false;
      if (!job_running_) {  // It may log, with the id of the request.
        exchange.compact();
      }
      if (timer_ != Timer::kRate) {
        moved_ = 0;
        set_timer(Timer::kRate, loop_.limits().body_rate_window);
      }
      return Step::kWait;
    case Outgoing::Step::kYield:
      loop_.read_clock();
      return Step::kYield;
    case Outgoing::Step::kNeedPiece:
      return Step::kWait;
    case Outgoing::Step::kFailed:
      return Step::kGone;
  }
  return Step::kGone;
}

Connection::Step Connection::finish_exchange() {
  Exchange& exchange = *exchange_;
  report(loop_, exchange, false);
  dispose(loop_, exchange);
  exchange.head_read = false;
  if (exchange.close_after) {
    const bool unread = !exchange.body_complete || exchange.consumed < exchange.in.size() ||
                        !exchange.leftover.empty();
    return unread ? start_linger() : Step::kGone;
  }
  exchange.next_request();
  set_timer(Timer::kIdle, loop_.limits().idle_time);
  state_ = State::kHead;
  if (exchange.in.empty()) {
    loop_.give_back(std::move(exchange_));
  }
  return ++turn_requests_ >= kRequestsPerTurn ? Step::kYield : Step::kAgain;
}

/// Closing a socket with unread bytes resets it, and the reset may overtake the answer. So the
/// client is told that nothing more comes, and what it still sends is thrown away for a while.
Connection::Step Connection::start_linger() {
  transport_->shutdown_write();
  exchange_->next_request();
  loop_.give_back(std::move(exchange_));
  state_ = State::kLingering;
  moved_ = 0;
  set_timer(Timer::kLinger, std::chrono::duration_cast<std::chrono::milliseconds>(kLingerTime));
  return Step::kAgain;
}

Connection::Step Connection::advance_linger() {
  // Not through receive(): TLS is over, the raw bytes go.
  const IoResult got = transport_->discard(loop_.scratch());
  switch (got.kind) {
    case IoResult::Kind::kMoved:
      moved_ += got.bytes;
      return moved_ > kLingerBytesMax ? Step::kGone : Step::kYield;
    case IoResult::Kind::kBlocked:
      return Step::kWait;
    case IoResult::Kind::kEnded:
    case IoResult::Kind::kFailed:
      return Step::kGone;
  }
  return Step::kGone;
}

/// A rate window ended.
Connection::Step Connection::on_slow() {
  const Limits& limits = loop_.limits();
  const std::uint64_t window_ms = static_cast<std::uint64_t>(limits.body_rate_window.count());
  const std::uint64_t wanted = limits.body_rate_min_bytes_per_second * window_ms / 1000;
  // A writable socket waits for the source of the body, not for the client.
  const bool ours = paused_ || state_ == State::kJob || (state_ == State::kSending && writable_);
  if (ours || std::exchange(moved_, 0) >= wanted) {
    set_timer(Timer::kRate, limits.body_rate_window);
    return Step::kAgain;
  }
  switch (state_) {
    case State::kBody:
      return refuse(408, "body not received in time");
    case State::kUpload:
      return refuse_upload({408, "body not received in time"});
    default:
      return Step::kGone;
  }
}

Connection::Step Connection::on_job(Job job) {
  Exchange& exchange = *exchange_;
  switch (job) {
    case Job::kNone:
      return Step::kAgain;
    case Job::kHandle:
    case Job::kWhole:
    case Job::kFinish:
      return exchange.job_failed ? refuse(500, "internal server error")
                                 : respond(std::move(*exchange.job_response));
    case Job::kOpen:
      if (exchange.job_failed) {
        return refuse(500, "internal server error");
      }
      if (exchange.job_response) {
        return respond(std::move(*exchange.job_response));
      }
      start_receiving();
      return exchange.consumed < exchange.in.size() || send_continue() ? Step::kAgain : Step::kGone;
    case Job::kWrite:
      return on_upload_written();
    case Job::kPiece:
      exchange.out.end_piece(!exchange.job_failed);
      if (!writable_) {
        exchange.compact();
      }
      return Step::kAgain;
  }
  return Step::kGone;
}

}  // namespace roadstead::http
