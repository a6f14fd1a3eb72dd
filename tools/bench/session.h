#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "content.h"
#include "response.h"

namespace roadstead::bench {

/// One request. `head` ends with the empty line and belongs to the session until the answer is in.
struct Request {
  std::string_view head;
  Body body;
  bool is_head = false;
  Keep keep = Keep::kNothing;
  ResponseReader::Sink* sink = nullptr;
};

struct Step {
  enum class Kind { kSend, kDone, kFailed };
  Kind kind = Kind::kDone;
  Request request;
  std::string error;

  static Step send(Request request) { return {Kind::kSend, request, {}}; }
  static Step done() { return {}; }
  static Step failed(std::string why) { return {Kind::kFailed, {}, std::move(why)}; }
};

/// What one connection does: numbered operations, each a sequence of requests. A session checks
/// every answer; an operation whose answers are wrong is an error, whatever it cost.
class Session {
 public:
  virtual ~Session() = default;
  virtual Step begin(uint64_t operation) = 0;
  virtual Step next(const Response& last) = 0;
  /// Body bytes that count for throughput when an operation is done.
  [[nodiscard]] virtual uint64_t payload() const = 0;
};

/// Makes the sessions of a run; must outlive them.
class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::unique_ptr<Session> session(int connection) = 0;
};

}  // namespace roadstead::bench
