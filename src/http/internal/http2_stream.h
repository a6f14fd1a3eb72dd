#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "http/internal/exchange.h"
#include "http/internal/link.h"

namespace roadstead::http {

class Http2Connection;

/// One request and its answer on an HTTP/2 connection. Lives on the loop's thread; the connection
/// owns it. When the client resets it while a job runs, it waits for the job in kGone.
///
/// A body that goes into a sink is acknowledged (WINDOW_UPDATE) only once the sink has it. So the
/// client never has more under way than the stream's window, and that fits into the two buffers.
class Http2Stream final : private JobOwner {
 public:
  Http2Stream(Http2Connection& connection, std::int32_t id);
  ~Http2Stream();
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  [[nodiscard]] std::int32_t id() const { return id_; }
  [[nodiscard]] Exchange& exchange() { return *exchange_; }

  // What comes in.
  void on_head(bool end_stream);
  void on_data(std::string_view bytes);
  void on_end();
  /// The session found the request malformed and resets the stream, so nothing can be answered.
  void on_malformed();
  void on_head_late();

  // What goes out.
  struct Data {
    std::size_t length = 0;  ///< 0: nothing now, resume later.
    bool last = false;
    bool failed = false;  ///< Nothing more will come, and it was not all.
  };
  [[nodiscard]] Data next_data(std::size_t length_max);
  bool copy_data(std::span<char> into);
  void on_answer_sent();

  /// The stream is over for the session. False while a job runs: then the job's end is the end.
  bool close();
  /// Whether the stream, in kGone, is done with its job.
  [[nodiscard]] bool is_finished() const { return state_ == State::kGone && !job_running_; }
  /// Ends the stream of a body that was answered early.
  void reset_if_due(std::chrono::steady_clock::time_point now);
  /// A rate window ended: refuses or resets a transfer that moved less than `wanted` in all of it.
  void on_window_end(std::uint64_t wanted);

  std::size_t index = 0;  ///< Place in the connection's list.

 private:
  enum class State : std::uint8_t {
    kHead,
    kBody,      ///< Gathering a body in memory.
    kOpening,   ///< The pool opens the sink; what comes meanwhile is kept.
    kUpload,    ///< Moving a body into a sink.
    kRefusing,  ///< An upload is to be refused once its running job has ended.
    kJob,       ///< The pool works on the answer.
    kSending,
    kSent,  ///< The answer went out whole.
    kGone,  ///< Closed; waits for a job.
  };

  void on_job_done() override;
  void on_job(Job job);

  // http2_stream.cpp: requests
  bool read_head(bool end_stream);
  void begin_request();
  void choose_body();
  void dispatch();
  void submit(Job job, State state);
  void resume(Job job);
  void refuse(int status, std::string_view reason);
  void refuse_unanswered(int status, std::string_view reason);
  void report_once(bool aborted);
  void finish();

  // http2_body.cpp: bodies
  void begin_body();
  void take_body(std::string_view bytes);
  void refuse_size();
  void body_arrived();
  void on_upload_opened();
  std::size_t fill_buffer(std::string_view bytes);
  void advance_upload();
  void on_upload_written();
  void refuse_upload(Refusal refusal);
  void widen_window();
  void end_body();
  void send_continue();

  // http2_answer.cpp: answers
  void respond(Response response);
  void submit_answer(const Response& response, const Outgoing::Part& part);
  void on_piece();
  void reset(std::uint32_t error);
  [[nodiscard]] bool is_transferring() const;

  Http2Connection& connection_;
  std::unique_ptr<Exchange> exchange_;
  std::int32_t id_;
  State state_ = State::kHead;
  bool job_running_ = false;
  bool reported_ = false;
  bool wide_ = false;       ///< Holds a place among the uploads with large windows.
  bool watched_ = false;    ///< The transfer was under way when the rate window began.
  std::size_t window_;      ///< What the client may send ahead of us.
  std::size_t unread_ = 0;  ///< Received and not acknowledged.
  std::size_t held_ = 0;    ///< Of the connection's allowance for gathered bodies.
  std::uint64_t moved_ = 0;
  std::chrono::steady_clock::time_point reset_due_{};
};

}  // namespace roadstead::http
