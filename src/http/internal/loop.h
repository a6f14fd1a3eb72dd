#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/internal/exchange.h"
#include "http/internal/link.h"
#include "http/internal/listener.h"
#include "http/internal/shared.h"
#include "http/internal/timer_wheel.h"

namespace roadstead::http {

/// One I/O thread: an edge-triggered epoll set, its listeners and connections, timers, and a
/// mailbox for what comes back from the worker pool. Everything not marked otherwise runs on that
/// thread.
class Loop {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Command { kNone, kDrain, kStop };

  Loop(Shared& shared, std::vector<Listener> listeners);
  ~Loop();  ///< Any thread, after join().
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Result<void> open();                ///< Any thread, once: what turn() needs.
  Result<void> start();               ///< Any thread, once: open(), then turns on its own thread.
  void command(Command command);      ///< Any thread.
  void join();                        ///< Any thread.
  void complete(Exchange& exchange);  ///< Worker threads.

  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] const Limits& limits() const { return shared_.options.limits; }
  [[nodiscard]] TimerWheel& wheel() { return wheel_; }
  [[nodiscard]] ClientShares& client_shares() { return client_shares_; }
  /// Time of the last clock read: the start of this iteration or later.
  [[nodiscard]] Time now() const { return now_; }
  Time read_clock() { return now_ = std::chrono::steady_clock::now(); }
  /// Whether events of this turn have waited so long that what could run in place should rather go
  /// to the pool. Not while requests queue there: they would wait longer.
  [[nodiscard]] bool late() const;
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] std::string_view date_line() const { return date_line_; }
  /// For bytes that are used before the next call returns to the loop.
  [[nodiscard]] std::span<char> scratch() { return {scratch_.get(), kScratchBytes}; }
  std::string_view new_request_id(std::array<char, 32>& buffer);

  std::unique_ptr<Exchange> take_exchange();
  void give_back(std::unique_ptr<Exchange> exchange);
  std::unique_ptr<char[]> take_upload_buffer();
  void give_back(std::unique_ptr<char[]> buffer);

  /// Continues the link after the others had their turn.
  void make_ready(Link& link);
  /// Drives the link with the readiness of its socket `fd`, until destroy().
  void add(std::unique_ptr<Link> link, int fd);
  /// Waits for events, timers and finished jobs once, and handles them.
  void turn();
  void destroy(Link& link);
  /// `fresh` takes over the socket `fd` of `old`, which is destroyed, and hears of its readiness.
  void replace(Link& old, std::unique_ptr<Link> fresh, int fd);

  // Read by statistics() from any thread.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> uploads{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::int64_t> delay_max_ns{0};

 private:
  static constexpr std::size_t kScratchBytes = std::size_t{256} << 10U;

  struct Mailbox {
    std::vector<Exchange*> completed;
    Command command = Command::kNone;
    bool signalled = false;
  };

  void run();
  void begin_turn(Time now);
  void read_mailbox();
  void obey(Command command);
  void tell_connection_gone();
  void accept_from(Listener& listener);
  void adopt(Accepted accepted_socket, const Listener& listener);
  void pause_accepting();
  void resume_accepting();
  void close_listeners();
  void run_ready();
  void forget(Link& link);
  void signal();
  [[nodiscard]] int sleep_ms() const;

  Shared& shared_;
  std::vector<Listener> listeners_;
  int epoll_ = -1;
  int event_ = -1;
  std::thread thread_;
  Guarded<Mailbox> mailbox_;

  Time now_;
  Time turn_started_;
  std::chrono::nanoseconds previous_duration_{0};
  Time date_due_;
  std::string date_line_;
  TimerWheel wheel_;
  ClientShares client_shares_;
  Time accept_again_{};
  Time accept_warning_due_{};
  bool accept_paused_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  bool mail_ = false;

  std::vector<Link*> connections_;
  std::vector<Link*> ready_;
  std::vector<Link*> ready_now_;
  std::vector<Exchange*> completed_now_;
  std::vector<std::unique_ptr<Exchange>> spare_exchanges_;
  std::vector<std::unique_ptr<char[]>> spare_buffers_;
  std::unique_ptr<char[]> scratch_;
  std::uint64_t id_prefix_ = 0;
  std::uint64_t id_counter_ = 0;
};

}  // namespace roadstead::http
