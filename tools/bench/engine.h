#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "session.h"
#include "transport.h"

namespace roadstead::bench {

struct EngineOptions {
  Target target;
  const TlsClient* tls = nullptr;
  int connections = 1;
  double seconds_max = 60;
  /// Bytes per second of slow connections, in both directions; 0 = as fast as possible.
  uint64_t rate = 0;
  /// Every n-th connection is slow when `rate` is set.
  int slow_every = 1;
  /// Operations begin at this rate whether or not earlier ones are done (an open loop); 0 = each
  /// connection begins one when its last one is done. Latency counts from when an operation was
  /// due. When every connection is busy for kDueMax, the operation is not done: it is missed.
  double pace = 0;
  /// 503 with Retry-After is a refusal, not an error.
  bool refusals = false;
  /// Each connection does exactly one operation of a run, instead of as many as it can.
  bool one_operation_each = false;
};

struct RunStats {
  uint64_t operations = 0;
  uint64_t errors = 0;
  uint64_t unfinished = 0;  // In flight when the time was over: neither done nor wrong.
  uint64_t reconnects = 0;  // Connections the server closed between two operations.
  uint64_t payload_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t refused = 0;  // With Retry-After, when EngineOptions::refusals allows it.
  uint64_t missed = 0;   // Not begun, because no connection was free.
  double began = 0;      // On the monotonic clock.
  double seconds = 0;
  std::string first_error;
  std::vector<float> latency_ms;
  std::vector<float> ended;  // Seconds since `began`, for each of latency_ms.
  std::vector<float> refusal_ms;
};

/// Drives all connections from one thread with epoll (edge-triggered). Connections persist
/// between runs, so a warm-up and a measured run use the same ones.
class Engine {
 public:
  static constexpr int kConnectionsMax = 20000;
  static constexpr uint64_t kErrorsMax = 50;
  static constexpr double kDueMax = 1;

  Engine(const EngineOptions& options, Workload& workload);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Does operations [first, first + count), then returns; sooner when the time is over or after
  /// kErrorsMax errors.
  RunStats run(uint64_t first, uint64_t count);
  /// Leaves the connections idle; returns how many the server closed meanwhile.
  int hold(double seconds);
  [[nodiscard]] int open_connections() const;

 private:
  struct Connection;
  enum class Progress { kBlocked, kAgain };

  void start_waiting();
  void start_due();
  void begin_operation(Connection& connection, double due);
  [[nodiscard]] double due_time(uint64_t operation) const;
  [[nodiscard]] double wait_seconds() const;
  bool take_refusal(Connection& connection);
  bool ensure_open(Connection& connection);
  void drive(Connection& connection);
  Progress turn(Connection& connection);
  Progress send_some(Connection& connection);
  Progress receive_some(Connection& connection);
  void answered_early(Connection& connection);
  void take_step(Connection& connection, const Step& step);
  void take_answer(Connection& connection);
  void next_operation(Connection& connection);
  void lost(Connection& connection);
  void fail(Connection& connection, const std::string& why);
  void abandon_unfinished();
  void service_slow();
  void poll_events(double seconds);
  void drive_again();
  [[nodiscard]] bool running() const;

  EngineOptions options_;
  Workload& workload_;
  int epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> again_;
  std::vector<Connection*> free_;  // With a pace: connections without an operation.
  std::vector<char> buffer_;
  RunStats stats_;
  uint64_t first_ = 0;
  uint64_t next_ = 0;
  uint64_t end_ = 0;
  uint64_t active_ = 0;
  int connecting_ = 0;
  size_t unstarted_ = 0;
  double slow_tick_at_ = 0;
  unsigned slow_slot_ = 0;
  double deadline_ = 0;
};

}  // namespace roadstead::bench
