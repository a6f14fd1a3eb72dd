#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "http/internal/exchange.h"
#include "http/internal/link.h"
#include "http/internal/transport.h"

namespace roadstead::http {

class Loop;

/// A socket that speaks HTTP/1.1: a state machine driven by readiness, timers and finished jobs. It
/// holds an Exchange only while a request is under way. Lives on its loop's thread; Loop::destroy()
/// ends it. When the peer goes away while a job runs, the socket is closed at once and the object
/// waits for the job.
class Connection final : public Link, private JobOwner {
 public:
  Connection(Loop& loop, int fd, std::unique_ptr<TlsSession> tls, Peer peer);
  ~Connection() override;

  void on_event(std::uint32_t events) override;
  void on_timer() override;
  void on_ready() override { pump(); }
  void close_if_idle() override;
  void abandon() override;

 private:
  enum class State : std::uint8_t {
    kHandshake,
    kHead,      ///< Waiting for a request or reading its head.
    kBody,      ///< Gathering a body in memory.
    kJob,       ///< The pool works; nothing is read.
    kUpload,    ///< Moving a body into a sink.
    kRefusing,  ///< An upload is to be refused once its running job has ended.
    kSending,
    kLingering,  ///< Answered early: lets the client read the answer before the socket closes.
    kGone,       ///< Closed; waits for a job.
  };
  /// What advance() asks its caller to do.
  enum class Step { kAgain, kWait, kYield, kGone, kReplace };
  enum class Timer : std::uint8_t { kNone, kIdle, kHead, kRate, kLinger };

  void on_job_done() override;
  void pump();
  Step advance();
  void become_http2();
  void end();  ///< Reports an unfinished request, closes, and destroys when no job runs.

  // connection.cpp: requests
  Step advance_handshake();
  Step advance_head();
  Step wait_for_head();
  Step begin_request();
  void describe_request();
  Step choose_body();
  Step dispatch();
  Step submit(Job job);
  void resume(Job job);
  void set_timer(Timer timer, std::chrono::milliseconds delay);
  IoResult receive(std::span<char> into);

  // connection_body.cpp: bodies
  Step begin_body();
  Step advance_body();
  bool take_body_bytes(std::span<const char> bytes);
  Step check_body();
  Step body_arrived();
  bool send_continue();
  Step begin_upload();
  Step advance_upload();
  Step take_upload_bytes(std::span<char> room);
  void start_receiving();
  bool hand_over(Job job);
  Step finish_upload();
  Step on_upload_written();
  Step refuse_upload(Refusal refusal);

  // connection_answer.cpp: answers
  Step refuse(int status, std::string_view reason);
  Step respond(Response response);
  Step advance_sending();
  Step finish_exchange();
  Step start_linger();
  Step advance_linger();
  Step on_slow();
  Step on_job(Job job);

  Loop& loop_;
  std::optional<Transport> transport_;
  std::unique_ptr<Exchange> exchange_;
  std::uint64_t moved_ = 0;  ///< Bytes in this rate window or while lingering.
  State state_;
  Timer timer_ = Timer::kNone;
  bool readable_ = false;
  bool writable_ = true;
  bool hung_up_ = false;  ///< Nothing more will come: read until the end shows.
  bool job_running_ = false;
  bool paused_ = false;  ///< An upload that waits for the pool, not for the client.
  int turn_requests_ = 0;
};

}  // namespace roadstead::http
