#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace roadstead::sys {

/// A fixed number of named threads and a bounded queue. Thread-safe.
class ThreadPool {
 public:
  struct Options {
    std::string name;  ///< Thread name prefix, at most 10 characters.
    std::size_t threads = 1;
    std::size_t queue_max = 1024;
    /// What would wait longer, as fast as tasks leave the queue at present, is not admitted: what
    /// is refused at once can be tried again, what waits for long is worth nothing when it is done.
    /// 0: only queue_max counts. Four tasks a thread may wait however long it takes, so that a slow
    /// disk is no overload.
    std::chrono::milliseconds wait_max{0};
  };
  /// Whose task it is. Those who have much work here already may fill half of the queue, by number
  /// and by waiting time, so that the others find room in it.
  enum class Share : std::uint8_t { kModest, kLarge };

  explicit ThreadPool(const Options& options);
  ~ThreadPool();  ///< Runs what is queued, then joins.
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False, without running it, when the queue is full or too slow, or the pool is stopping.
  [[nodiscard]] bool try_submit(std::function<void()> task, Share share = Share::kModest);
  /// Queues regardless of the limit: for the continuation of work that was admitted before.
  void submit_continuation(std::function<void()> task);
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t busy() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::sys
