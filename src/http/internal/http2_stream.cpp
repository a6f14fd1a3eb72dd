#include "http/internal/http2_stream.h"

#include <utility>

#include "http/internal/http2_connection.h"
#include "http/internal/loop.h"
#include "http/internal/serving.h"

namespace roadstead::http {
namespace {

constexpr std::uint64_t kWholeUploadMax = std::uint64_t{256} << 10U;

}  // namespace

Http2Stream::Http2Stream(Http2Connection& connection, std::int32_t id)
    : connection_(connection),
      exchange_(connection.loop().take_exchange()),
      id_(id),
      window_(kHttp2StreamWindow) {
  exchange_->owner = this;
}

Http2Stream::~Http2Stream() = default;

/// Fills the request from the fields. After a refusal parts of it are empty.
bool Http2Stream::read_head(bool end_stream) {
  Exchange& exchange = *exchange_;
  Loop& loop = connection_.loop();
  const HeadLimits limits{loop.limits().header_bytes_max, loop.limits().header_fields_max};
  const bool sound = connection_.head().finish();
  const auto parsed =
      exchange.parser.feed(exchange.in.text(), limits, exchange.head, exchange.fields);
  exchange.consumed = exchange.in.size();
  exchange.body_complete = end_stream;
  // The framing carries a length that nobody announced, as chunks do.
  exchange.head.chunked = !end_stream && !exchange.head.content_length;
  loop.read_clock();
  describe_request(loop, exchange, connection_.peer());
  return sound && parsed == HeadParser::State::kComplete;
}

void Http2Stream::on_head(bool end_stream) {
  if (!read_head(end_stream)) {
    const Refusal& early = connection_.head().refusal();
    const Refusal& refusal = early.reason.empty() ? exchange_->parser.refusal() : early;
    refuse(refusal.status, refusal.reason);
    return;
  }
  begin_request();
}

void Http2Stream::on_malformed() {
  if (state_ == State::kHead) {
    refuse_unanswered(400, "malformed request");
  }
}

void Http2Stream::on_head_late() {
  refuse_unanswered(408, "header not received in time");
}

/// For the access log only: the stream or the connection ends without an answer.
void Http2Stream::refuse_unanswered(int status, std::string_view reason) {
  connection_.head().refuse(status, reason);
  read_head(false);
  exchange_->refused = true;
  exchange_->out.set_unsent_status(status);
  connection_.loop().refused.fetch_add(1, std::memory_order_relaxed);
  report_once(false);
  state_ = State::kSent;
}

void Http2Stream::begin_request() {
  Exchange& exchange = *exchange_;
  Loop& loop = connection_.loop();
  if (!count_request(loop, exchange, connection_.peer())) {
    refuse(503, "too many connections of this address");
    return;
  }
  exchange.endpoint =
      &loop.shared().application.route(exchange.request, exchange.context.parameters);
  if (exchange.body_complete) {
    dispatch();
  } else {
    choose_body();
  }
}

void Http2Stream::choose_body() {
  Exchange& exchange = *exchange_;
  const std::uint64_t announced = exchange.head.content_length.value_or(0);
  switch (exchange.endpoint->body_mode()) {
    case BodyMode::kNone:
      exchange.body_max = 0;
      break;
    case BodyMode::kBuffered:
      exchange.body_max = exchange.endpoint->body_max();
      break;
    case BodyMode::kStreamed: {
      const bool small = exchange.head.content_length && announced <= kWholeUploadMax;
      if (!small || exchange.head.expect_continue) {
        submit(Job::kOpen, State::kOpening);
        return;
      }
      // Small bodies are gathered first: one trip to the pool instead of three.
      exchange.body_max = kWholeUploadMax;
      break;
    }
  }
  if (announced > exchange.body_max) {
    refuse_size();
  } else {
    begin_body();
  }
}

/// The body, if any, is here. Answers in place when that is possible and the loop is on time.
void Http2Stream::dispatch() {
  if (auto response = answer_in_place(connection_.loop(), *exchange_)) {
    respond(std::move(*response));
  } else {
    submit(job_of(*exchange_), State::kJob);
  }
}

void Http2Stream::submit(Job job, State state) {
  if (submit_job(connection_.loop(), *exchange_, job)) {
    job_running_ = true;
    state_ = state;
  } else {
    refuse(503, "server is busy");
  }
}

void Http2Stream::resume(Job job) {
  job_running_ = true;
  resume_job(connection_.loop(), *exchange_, job);
}

void Http2Stream::on_job_done() {
  job_running_ = false;
  if (state_ == State::kGone) {
    finish();
  } else {
    on_job(std::exchange(exchange_->job, Job::kNone));
  }
  connection_.on_stream_job_done(*this);
}

void Http2Stream::on_job(Job job) {
  Exchange& exchange = *exchange_;
  switch (job) {
    case Job::kNone:
      return;
    case Job::kOpen:
      on_upload_opened();
      return;
    case Job::kWrite:
      on_upload_written();
      return;
    case Job::kPiece:
      on_piece();
      return;
    case Job::kHandle:
    case Job::kWhole:
    case Job::kFinish:
      if (exchange.job_failed) {
        refuse(500, "internal server error");
      } else {
        respond(std::move(*exchange.job_response));
      }
      return;
  }
}

/// The edge's own answer. The stream ends with it, whether the request was read whole or not.
void Http2Stream::refuse(int status, std::string_view reason) {
  respond(refusal(connection_.loop(), *exchange_, status, reason));
}

void Http2Stream::report_once(bool aborted) {
  if (exchange_->head_read && !std::exchange(reported_, true)) {
    report(connection_.loop(), *exchange_, aborted);
  }
}

bool Http2Stream::close() {
  state_ = State::kGone;
  if (job_running_) {
    return false;  // on_job_done() comes back here.
  }
  finish();
  return true;
}

void Http2Stream::finish() {
  end_body();
  dispose(connection_.loop(), *exchange_);
  report_once(true);
  exchange_->next_request();
  connection_.loop().give_back(std::move(exchange_));
}

}  // namespace roadstead::http
