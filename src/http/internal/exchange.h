#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "http/endpoint.h"
#include "http/internal/byte_buffer.h"
#include "http/internal/chunked.h"
#include "http/internal/client_shares.h"
#include "http/internal/outgoing.h"
#include "http/internal/parser.h"

namespace roadstead::http {

class JobOwner;
class Loop;

/// What the worker pool does for an exchange.
enum class Job {
  kNone,
  kHandle,  ///< Endpoint::handle
  kOpen,    ///< Endpoint::open
  kWhole,   ///< open, write and finish of a body that is here already
  kWrite,   ///< One filled buffer into the sink; opens it when it is not open
  kFinish,  ///< The last buffer likewise, then finish
  kPiece,   ///< The next piece of a BodySource
};

/// A body on its way from the socket into a sink: while the pool works on one buffer, the other one
/// fills.
struct Upload {
  std::unique_ptr<BodySink> sink;  ///< Null until it is opened, perhaps with the first buffer.
  bool admitted = false;           ///< The pool has taken work of this upload.
  std::array<std::unique_ptr<char[]>, 2> buffers;
  std::array<std::size_t, 2> filled{};
  std::size_t filling = 0;
  std::size_t writing = 0;         ///< Meaningful while a job runs.
  std::optional<Refusal> refusal;  ///< To be answered once the running job has ended.
};

/// State of one request and its answer. A connection has one only while there is something to do,
/// so that idle connections cost next to nothing. Belongs to the I/O thread; while `job` runs on
/// the pool the I/O thread touches only the receiving side: in, consumed, body_left, chunked,
/// upload buffers that are not `writing`. While the job is kPiece it sends, too (ReadAhead).
struct Exchange {
  explicit Exchange(const log::Logger& logger) : context{{}, {}, logger, {}, {}} {}

  JobOwner* owner = nullptr;
  Loop* loop = nullptr;

  // The message as it comes in.
  ByteBuffer in;             ///< From the first byte of the head.
  std::size_t consumed = 0;  ///< Bytes of `in` that belong to this request.
  std::string leftover;      ///< Bytes behind this request that are not in `in`.
  HeadParser parser;
  Head head;
  std::vector<HeaderField> fields;
  bool head_read = false;
  std::chrono::steady_clock::time_point started;

  std::uint64_t body_left = 0;  ///< Of a body with Content-Length.
  ChunkedDecoder chunked;
  ByteBuffer body;
  std::uint64_t body_max = 0;
  std::uint64_t body_bytes = 0;
  bool body_complete = false;

  // What endpoints see.
  Request request;
  Context context;
  Endpoint* endpoint = nullptr;
  std::array<char, 32> generated_id{};
  std::string counted_address;  ///< Holds a place among the requests of this address.

  // Work on the pool and what came of it.
  ClientShares::Entry* share = nullptr;  ///< Of the client, once the pool has admitted the request.
  Job job = Job::kNone;
  std::optional<Response> job_response;
  bool job_failed = false;
  std::unique_ptr<Upload> upload;

  // The answer.
  Outgoing out;
  bool refused = false;
  bool close_after = false;
  bool compacted = false;
  std::string kept;  ///< What the access log still needs after compact().

  /// Makes room for the next request on the connection; bytes of it that came already stay.
  void next_request();
  /// Gives up everything that sending the rest of the answer does not need: a slow download must
  /// not hold on to its request.
  void compact();
};

/// Runs exchange.job on the calling worker thread and reports to the loop. The exchange must not
/// be touched by the caller afterwards.
void run_job(Exchange& exchange);

}  // namespace roadstead::http
