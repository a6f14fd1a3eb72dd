#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace roadstead {

/// Shared data that can be reached only while its lock is held:
///   guarded.with([](State& state) { … });
/// Never hold it across I/O.
template <typename T>
class Guarded {
 public:
  template <typename... Args>
  explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

  template <typename F>
  decltype(auto) with(F&& f) {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(f)(value_);
  }
  template <typename F>
  decltype(auto) with(F&& f) const {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(f)(value_);
  }

  /// Waits on `condition` until `ready(value)`, then runs f(value), all under the lock.
  template <typename Ready, typename F>
  decltype(auto) wait(std::condition_variable& condition, Ready&& ready, F&& f) {
    std::unique_lock lock(mutex_);
    condition.wait(lock, [&] { return ready(value_); });
    return std::forward<F>(f)(value_);
  }
  /// As wait(), but gives up after `timeout`; f runs in either case and may look at the state.
  template <typename Duration, typename Ready, typename F>
  decltype(auto) wait_for(std::condition_variable& condition, Duration timeout, Ready&& ready,
                          F&& f) {
    std::unique_lock lock(mutex_);
    condition.wait_for(lock, timeout, [&] { return ready(value_); });
    return std::forward<F>(f)(value_);
  }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace roadstead
