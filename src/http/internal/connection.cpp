#include "http/internal/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "http/internal/http2_connection.h"
#include "http/internal/loop.h"
#include "http/internal/serving.h"

namespace roadstead::http {
namespace {

constexpr std::chrono::milliseconds kLastRequestTime{1000};  // While draining.

}  // namespace

Connection::Connection(Loop& loop, int fd, std::unique_ptr<TlsSession> tls, Peer peer)
    : Link(std::move(peer)),
      loop_(loop),
      state_(this->peer().tls ? State::kHandshake : State::kHead) {
  transport_.emplace(fd, std::move(tls));
  set_timer(Timer::kHead, loop_.limits().header_time);
}

Connection::~Connection() = default;

void Connection::set_timer(Timer timer, std::chrono::milliseconds delay) {
  timer_ = timer;
  loop_.wheel().schedule(*this, loop_.now() + delay);
}

void Connection::on_event(std::uint32_t events) {
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
  turn_requests_ = 0;
  pump();
}

void Connection::pump() {
  for (;;) {
    switch (advance()) {
      case Step::kAgain:
        break;
      case Step::kWait:
        return;
      case Step::kYield:
        turn_requests_ = 0;
        loop_.make_ready(*this);
        return;
      case Step::kGone:
        end();
        return;
      case Step::kReplace:
        become_http2();
        return;
    }
  }
}

/// Ends this object; the socket lives on.
void Connection::become_http2() {
  const int fd = transport_->descriptor();
  loop_.replace(*this, std::make_unique<Http2Connection>(loop_, std::move(*transport_), peer()),
                fd);
}

Connection::Step Connection::advance() {
  switch (state_) {
    case State::kHandshake:
      return advance_handshake();
    case State::kHead:
      return advance_head();
    case State::kBody:
      return advance_body();
    case State::kUpload:
      return advance_upload();
    case State::kSending:
      return advance_sending();
    case State::kLingering:
      return advance_linger();
    case State::kJob:
    case State::kRefusing:
    case State::kGone:
      return Step::kWait;
  }
  return Step::kGone;
}

void Connection::end() {
  state_ = State::kGone;
  loop_.wheel().cancel(*this);
  timer_ = Timer::kNone;
  if (transport_ && transport_->tls() != nullptr) {
    transport_->tls()->close_notify();
  }
  transport_.reset();
  if (job_running_) {
    return;  // on_job_done() comes back here.
  }
  if (exchange_) {
    dispose(loop_, *exchange_);
    if (exchange_->head_read) {
      report(loop_, *exchange_, true);
    }
    exchange_->next_request();
    loop_.give_back(std::move(exchange_));
  }
  loop_.destroy(*this);
}

void Connection::close_if_idle() {
  if (state_ != State::kHead || (exchange_ && !exchange_->in.empty())) {
    return;
  }
  if (timer_ == Timer::kHead) {
    // Accepted a moment ago: its first request is probably on the way.
    set_timer(Timer::kHead, std::min(loop_.limits().header_time, kLastRequestTime));
    return;
  }
  end();
}

void Connection::abandon() {
  if (state_ != State::kGone) {
    end();
  }
}

void Connection::on_timer() {
  Step step = Step::kWait;
  switch (std::exchange(timer_, Timer::kNone)) {
    case Timer::kNone:
      return;  // Left over from an earlier state.
    case Timer::kIdle:
    case Timer::kLinger:
      step = Step::kGone;
      break;
    case Timer::kHead:
      step = state_ == State::kHead && exchange_ && !exchange_->in.empty()
                 ? refuse(408, "header not received in time")
                 : Step::kGone;
      break;
    case Timer::kRate:
      step = on_slow();
      break;
  }
  if (step == Step::kGone) {
    end();
  } else {
    pump();
  }
}

void Connection::on_job_done() {
  job_running_ = false;
  if (state_ == State::kGone) {
    end();
    return;
  }
  if (on_job(std::exchange(exchange_->job, Job::kNone)) == Step::kGone) {
    end();
  } else {
    pump();
  }
}

IoResult Connection::receive(std::span<char> into) {
  const IoResult result = transport_->read(into);
  if (result.kind == IoResult::Kind::kBlocked) {
    readable_ = false;
  } else if (result.kind == IoResult::Kind::kMoved) {
    moved_ += result.bytes;
    // Edge-triggered: a short read has emptied the socket, and whatever comes later is a new event.
    if (result.bytes < into.size() && !hung_up_ && transport_->short_read_drains()) {
      readable_ = false;
    }
  }
  return result;
}

Connection::Step Connection::advance_handshake() {
  switch (transport_->tls() == nullptr ? IoResult::Kind::kFailed
                                       : transport_->tls()->handshake().kind) {
    case IoResult::Kind::kMoved:
      if (transport_->tls()->speaks_http2()) {
        return Step::kReplace;
      }
      state_ = State::kHead;
      readable_ = true;  // The first request may have come with the last handshake message.
      return Step::kAgain;
    case IoResult::Kind::kBlocked:
      return Step::kWait;
    case IoResult::Kind::kEnded:
    case IoResult::Kind::kFailed:
      return Step::kGone;
  }
  return Step::kGone;
}

Connection::Step Connection::advance_head() {
  if (!exchange_) {
    if (!readable_) {
      return Step::kWait;
    }
    exchange_ = loop_.take_exchange();
    exchange_->owner = this;
  }
  Exchange& exchange = *exchange_;
  const HeadLimits limits{loop_.limits().header_bytes_max, loop_.limits().header_fields_max};
  for (;;) {
    if (!exchange.in.empty()) {
      switch (exchange.parser.feed(exchange.in.text(), limits, exchange.head, exchange.fields)) {
        case HeadParser::State::kComplete:
          return begin_request();
        case HeadParser::State::kRefused:
          describe_request();
          return refuse(exchange.parser.refusal().status, exchange.parser.refusal().reason);
        case HeadParser::State::kIncomplete:
          break;
      }
    }
    if (!readable_) {
      return wait_for_head();
    }
    if (exchange.in.room().empty()) {
      // The parser refuses what is over the limit, so this ends.
      exchange.in.reserve(exchange.in.capacity() * 2);
    }
    const IoResult got = receive(exchange.in.room());
    if (got.kind == IoResult::Kind::kMoved) {
      exchange.in.commit(got.bytes);
    } else if (got.kind != IoResult::Kind::kBlocked) {
      return Step::kGone;
    }
  }
}

Connection::Step Connection::wait_for_head() {
  if (exchange_->in.empty()) {
    loop_.give_back(std::move(exchange_));
  } else if (timer_ != Timer::kHead) {
    set_timer(Timer::kHead, loop_.limits().header_time);
  }
  return Step::kWait;
}

void Connection::describe_request() {
  timer_ = Timer::kNone;
  http::describe_request(loop_, *exchange_, peer());
}

Connection::Step Connection::begin_request() {
  Exchange& exchange = *exchange_;
  describe_request();
  exchange.consumed = exchange.parser.size();
  exchange.body_complete = !exchange.request.has_body;
  exchange.body_left = exchange.head.content_length.value_or(0);
  if (!count_request(loop_, exchange, peer())) {
    return refuse(503, "too many connections of this address");
  }
  exchange.endpoint =
      &loop_.shared().application.route(exchange.request, exchange.context.parameters);
  return exchange.request.has_body ? choose_body() : dispatch();
}

Connection::Step Connection::choose_body() {
  Exchange& exchange = *exchange_;
  const std::uint64_t announced = exchange.head.content_length.value_or(0);
  switch (exchange.endpoint->body_mode()) {
    case BodyMode::kNone:
      exchange.body_max = 0;
      return announced > 0 ? refuse(400, "no body is expected here") : begin_body();
    case BodyMode::kBuffered:
      exchange.body_max = exchange.endpoint->body_max();
      return announced > exchange.body_max ? refuse(413, "body too large") : begin_body();
    case BodyMode::kStreamed:
      return begin_upload();
  }
  return Step::kGone;
}

/// The body, if any, is here. Answers in place when that is possible and the loop is on time.
Connection::Step Connection::dispatch() {
  if (auto response = answer_in_place(loop_, *exchange_)) {
    return respond(std::move(*response));
  }
  return submit(job_of(*exchange_));
}

Connection::Step Connection::submit(Job job) {
  job_running_ = submit_job(loop_, *exchange_, job);
  if (!job_running_) {
    return refuse(503, "server is busy");
  }
  state_ = State::kJob;
  return Step::kWait;
}

void Connection::resume(Job job) {
  job_running_ = true;
  resume_job(loop_, *exchange_, job);
}

}  // namespace roadstead::http
