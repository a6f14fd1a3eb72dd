#pragma once

#include <cstddef>
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
  };
  explicit ThreadPool(Options options);
  ~ThreadPool();  ///< Runs what is queued, then joins.
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False, without running it, when the queue is full or the pool is stopping.
  [[nodiscard]] bool try_submit(std::function<void()> task);
  /// Queues regardless of the limit: for the continuation of work that was admitted before.
  void submit_continuation(std::function<void()> task);
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t busy() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::sys
