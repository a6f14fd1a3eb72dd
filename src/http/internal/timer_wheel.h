#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace roadstead::http {

/// A node of the wheel, embedded in what it times.
struct TimerNode {
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;
  std::uint64_t due = 0;     ///< Tick at which it expires.
  std::uint64_t linked = 0;  ///< Tick of the slot it hangs in, at most `due`.
  [[nodiscard]] bool is_linked() const { return next != nullptr; }
};

/// Coarse timers, 32 ms a tick. Moving an expiry later, which every request does, is one store: a
/// node is looked at when its slot comes round and hung up again if it is not due. One thread.
class TimerWheel {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit TimerWheel(Time start);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Expires at `due` or up to two ticks later, never earlier.
  void schedule(TimerNode& node, Time due);
  void cancel(TimerNode& node);

  /// Calls expired(node) for every node that is due; expired() may schedule and cancel any node.
  template <typename Expired>
  void advance(Time now, Expired&& expired) {
    const std::uint64_t target = tick_of(now);
    if (target > current_ + kSlots) {
      current_ = target - kSlots;  // One turn visits every slot.
    }
    while (current_ < target) {
      ++current_;
      while (TimerNode* node = take(current_ % kSlots)) {
        if (node->due > current_) {
          link(*node, node->due);
        } else {
          expired(*node);
        }
      }
    }
  }
  /// How long epoll_wait may sleep: until the next occupied slot, or -1.
  [[nodiscard]] int timeout_ms(Time now) const;

 private:
  static constexpr std::uint64_t kSlots = 2048;
  static constexpr std::chrono::milliseconds kTick{32};

  [[nodiscard]] std::uint64_t tick_of(Time time) const;
  void link(TimerNode& node, std::uint64_t due);
  void unlink(TimerNode& node);
  TimerNode* take(std::size_t slot);

  Time start_;
  std::uint64_t current_ = 0;
  std::array<TimerNode, kSlots> slots_;                ///< Heads of circular lists.
  std::array<std::uint64_t, kSlots / 64> occupied_{};  ///< One bit a slot; may be stale-set.
};

}  // namespace roadstead::http
