#include <algorithm>
#include <chrono>
#include <utility>

#include "http/internal/connection.h"
#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

constexpr int kRequestsPerTurn = 16;  // Of one pipelining client before the others get theirs.
constexpr std::uint64_t kLingerBytesMax = std::uint64_t{16} << 20U;
constexpr std::chrono::seconds kLingerTime{5};
constexpr int kClientClosedRequest = 499;  // What access logs show for a client that left.

}  // namespace

/// The edge's own answer. Unless the whole request was read, the connection ends with it.
Connection::Step Connection::refuse(int status, std::string_view reason) {
  Exchange& exchange = *exchange_;
  if (!exchange.head_read) {
    describe_request();
  }
  exchange.refused = true;
  loop_.refused.fetch_add(1, std::memory_order_relaxed);
  Response response = loop_.shared().application.refuse(status, exchange.request.path, reason);
  if (status == 503 && !response.header("Retry-After")) {
    response.add_header("Retry-After", "1");
  }
  return respond(std::move(response));
}

Connection::Step Connection::respond(Response response) {
  Exchange& exchange = *exchange_;
  if (exchange.upload) {
    end_upload();
  }
  timer_ = Timer::kNone;
  Selection selection = select(exchange.request, response);
  if (selection.kind == Selection::Kind::kUnsatisfiable) {
    const std::uint64_t total = response.content_length();
    response =
        loop_.shared().application.refuse(416, exchange.request.path, "range not satisfiable");
    response.add_header("Content-Range", "bytes */" + std::to_string(total));
    selection = {};
  }
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
  const std::uint64_t before = exchange.out.body_bytes_sent();
  const Outgoing::Step step = exchange.out.advance(*transport_, loop_.scratch());
  moved_ += exchange.out.body_bytes_sent() - before;
  switch (step) {
    case Outgoing::Step::kDone:
      return finish_exchange();
    case Outgoing::Step::kBlocked:
      writable_ = false;
      exchange.compact();
      if (timer_ != Timer::kRate) {
        moved_ = 0;
        set_timer(Timer::kRate, loop_.limits().body_rate_window);
      }
      return Step::kWait;
    case Outgoing::Step::kYield:
      loop_.read_clock();
      return Step::kYield;
    case Outgoing::Step::kNeedPiece:
      resume(Job::kPiece);
      state_ = State::kJob;
      return Step::kWait;
    case Outgoing::Step::kFailed:
      return Step::kGone;
  }
  return Step::kGone;
}

Connection::Step Connection::finish_exchange() {
  Exchange& exchange = *exchange_;
  report(false);
  dispose();
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
  if (paused_ || state_ == State::kJob || std::exchange(moved_, 0) >= wanted) {
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

void Connection::report(bool aborted) {
  Exchange& exchange = *exchange_;
  Completed completed;
  completed.request_id = exchange.context.request_id;
  completed.client_address = exchange.request.client_address;
  completed.method = exchange.request.method_name;
  completed.target = exchange.request.target;
  completed.user_agent = exchange.head.user_agent;
  completed.identity = exchange.context.identity;
  if (exchange.endpoint != nullptr && !exchange.refused) {
    completed.endpoint = exchange.endpoint->name();
  }
  completed.status = exchange.out.status() == 0 ? kClientClosedRequest : exchange.out.status();
  completed.bytes_in = exchange.body_bytes;
  completed.bytes_out = exchange.out.body_bytes_sent();
  completed.duration = loop_.read_clock() - exchange.started;
  completed.aborted = aborted;
  loop_.shared().observer.completed(completed);
}

void Connection::dispose() {
  Exchange& exchange = *exchange_;
  if (exchange.upload) {
    end_upload();
  }
  if (exchange.out.has_source()) {
    auto body = exchange.out.take_body();
    BodySource* source = std::get_if<std::unique_ptr<BodySource>>(&body)->release();
    loop_.shared().workers.submit_continuation([source] { delete source; });
  }
  if (!exchange.counted_address.empty()) {
    loop_.shared().leave(exchange.counted_address);
    exchange.counted_address.clear();
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
      if (exchange.upload) {
        loop_.uploads.fetch_add(1, std::memory_order_relaxed);
      }
      if (exchange.job_failed) {
        return refuse(500, "internal server error");
      }
      if (exchange.job_response) {
        return respond(std::move(*exchange.job_response));
      }
      if (exchange.head.expect_continue && exchange.consumed == exchange.in.size() &&
          !send_continue()) {
        return Step::kGone;
      }
      state_ = State::kUpload;
      moved_ = 0;
      set_timer(Timer::kRate, loop_.limits().body_rate_window);
      return Step::kAgain;
    case Job::kWrite:
      return on_upload_written();
    case Job::kPiece:
      if (exchange.job_failed) {
        return Step::kGone;
      }
      state_ = State::kSending;
      return Step::kAgain;
  }
  return Step::kGone;
}

}  // namespace roadstead::http
