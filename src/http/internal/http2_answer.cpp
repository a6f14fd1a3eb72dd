#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "http/internal/http2_connection.h"
#include "http/internal/http2_stream.h"
#include "http/internal/loop.h"
#include "http/internal/serving.h"
#include "http/internal/status.h"

namespace roadstead::http {
namespace {

constexpr std::uint64_t kCompactFrom = std::uint64_t{64} << 10U;

/// Collects fields whose text stays where it is until the session has copied it.
class Fields {
 public:
  explicit Fields(std::vector<nghttp2_nv>& fields) : fields_(fields) { fields_.clear(); }

  void add(std::string_view name, std::string_view value,
           std::uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
    fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), flags});
  }
  /// "Name: value\r\n" lines; names are made lower case where they stand.
  void add_lines(std::string& lines) {
    std::size_t at = 0;
    while (at < lines.size()) {
      const std::size_t colon = lines.find(':', at);
      const std::size_t end = lines.find("\r\n", colon);
      for (std::size_t i = at; i < colon; ++i) {
        lines[i] = to_lower(lines[i]);
      }
      const std::string_view text(lines);
      add(text.substr(at, colon - at), trim(text.substr(colon + 1, end - colon - 1)));
      at = end + 2;
    }
  }

 private:
  static std::uint8_t* bytes(std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  std::vector<nghttp2_nv>& fields_;
};

ssize_t read_body(nghttp2_session* /*session*/, std::int32_t /*id*/, std::uint8_t* /*into*/,
                  std::size_t length, std::uint32_t* flags, nghttp2_data_source* source,
                  void* /*user_data*/) {
  const auto data = static_cast<Http2Stream*>(source->ptr)->next_data(length);
  if (data.failed) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // Resets the stream with INTERNAL_ERROR.
  }
  if (data.length == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (data.last) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  }
  return static_cast<ssize_t>(data.length);
}

std::string_view number(std::uint64_t value, std::span<char> into) {
  const auto end = std::to_chars(into.data(), into.data() + into.size(), value).ptr;
  return {into.data(), static_cast<std::size_t>(end - into.data())};
}

}  // namespace

void Http2Stream::respond(Response response) {
  Exchange& exchange = *exchange_;
  Loop& loop = connection_.loop();
  if (exchange.upload) {
    end_upload(loop, exchange);
  }
  end_body();
  const Selection selection = choose_part(loop, exchange, response);
  if (response.closes_connection()) {
    connection_.go_away();
  }
  const Outgoing::Part part = exchange.out.start_body(
      response, {{}, {}, exchange.request.method == Method::kHead, false, selection});
  state_ = State::kSending;
  moved_ = 0;
  watched_ = false;
  submit_answer(response, part);
  if (exchange.out.remaining() >= kCompactFrom) {
    exchange.compact();
  }
}

void Http2Stream::submit_answer(const Response& response, const Outgoing::Part& part) {
  const Exchange& exchange = *exchange_;
  std::array<char, 24> status;
  std::array<char, 24> length;
  std::array<char, 80> range;
  Fields fields(connection_.fields());
  fields.add(":status", number(static_cast<std::uint64_t>(part.status), status));
  const std::string_view date = connection_.loop().date_line();
  constexpr std::size_t kDatePrefix = 6;  // "Date: "
  fields.add("date", date.substr(kDatePrefix, date.size() - kDatePrefix - 2));
  std::string& lines = connection_.text();
  lines = response.header_block();
  fields.add_lines(lines);
  if (part.partial) {
    const auto end = fmt::format_to_n(range.data(), range.size(), "bytes {}-{}/{}", part.offset,
                                      part.offset + part.length - 1, part.total);
    fields.add("content-range", {range.data(), end.size});
  }
  if (status_has_body(part.status)) {
    fields.add("content-length", number(part.length, length));
  }
  // Never the same twice: not worth a place in the compression table.
  fields.add("x-request-id", exchange.context.request_id, NGHTTP2_NV_FLAG_NO_INDEX);

  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = read_body;
  const std::vector<nghttp2_nv>& all = connection_.fields();
  if (nghttp2_submit_response(connection_.session(), id_, all.data(), all.size(),
                              exchange.out.remaining() > 0 ? &body : nullptr) != 0) {
    reset(NGHTTP2_INTERNAL_ERROR);
  }
}

Http2Stream::Data Http2Stream::next_data(std::size_t length_max) {
  Outgoing& out = exchange_->out;
  const std::uint64_t available = out.available();
  if (out.wants_piece()) {
    out.begin_piece();
    resume(Job::kPiece);
  }
  if (available == 0) {
    return {.failed = out.piece_failed()};
  }
  const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(available, length_max));
  return {length, length == out.remaining()};
}

bool Http2Stream::copy_data(std::span<char> into) {
  moved_ += into.size();
  connection_.on_bytes_moved(into.size());
  return exchange_->out.copy_body(into);
}

void Http2Stream::on_piece() {
  exchange_->out.end_piece(!exchange_->job_failed);
  nghttp2_session_resume_data(connection_.session(), id_);
}

void Http2Stream::on_answer_sent() {
  state_ = State::kSent;
  report_once(false);
  if (!exchange_->body_complete) {
    Loop& loop = connection_.loop();
    reset_due_ = loop.now() + loop.limits().early_answer_time;
    connection_.expect_reset(reset_due_);
  }
}

/// The client had time to read its answer and still sends: it is told that nobody listens.
void Http2Stream::reset_if_due(std::chrono::steady_clock::time_point now) {
  if (state_ != State::kSent || exchange_->body_complete) {
    return;
  }
  if (now >= reset_due_) {
    exchange_->body_complete = true;  // As far as anybody cares.
    reset(NGHTTP2_NO_ERROR);
  } else {
    connection_.expect_reset(reset_due_);
  }
}

void Http2Stream::reset(std::uint32_t error) {
  nghttp2_submit_rst_stream(connection_.session(), NGHTTP2_FLAG_NONE, id_, error);
}

bool Http2Stream::is_transferring() const {
  switch (state_) {
    case State::kBody:
      return true;
    case State::kUpload:
      return unread_ < window_ && !exchange_->body_complete;
    case State::kSending:
      return exchange_->out.available() > 0;
    default:
      return false;
  }
}

void Http2Stream::on_window_end(std::uint64_t wanted) {
  const std::uint64_t moved = std::exchange(moved_, 0);
  const bool transferring = is_transferring();
  const bool whole_window = std::exchange(watched_, transferring);
  if (!transferring || !whole_window || moved >= wanted) {
    return;
  }
  if (state_ == State::kBody) {
    refuse(408, "body not received in time");
  } else if (state_ == State::kUpload) {
    refuse_upload({408, "body not received in time"});
  } else {
    reset(NGHTTP2_CANCEL);
  }
}

}  // namespace roadstead::http
