#include "http/internal/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace roadstead::http {

TimerWheel::TimerWheel(Time start) : start_(start) {
  for (TimerNode& head : slots_) {
    head.previous = &head;
    head.next = &head;
  }
}

std::uint64_t TimerWheel::tick_of(Time time) const {
  return time <= start_ ? 0 : static_cast<std::uint64_t>((time - start_) / kTick);
}

void TimerWheel::schedule(TimerNode& node, Time due) {
  const std::uint64_t tick = std::max(tick_of(due) + 1, current_ + 1);
  node.due = tick;
  if (node.is_linked()) {
    if (node.linked <= tick) {
      return;
    }
    unlink(node);
  }
  link(node, tick);
}

void TimerWheel::cancel(TimerNode& node) {
  if (node.is_linked()) {
    unlink(node);
  }
}

void TimerWheel::link(TimerNode& node, std::uint64_t due) {
  node.linked = std::min(due, current_ + kSlots - 1);
  const std::size_t slot = node.linked % kSlots;
  TimerNode& head = slots_.at(slot);
  node.previous = head.previous;
  node.next = &head;
  head.previous->next = &node;
  head.previous = &node;
  occupied_.at(slot / 64) |= std::uint64_t{1} << (slot % 64);
}

void TimerWheel::unlink(TimerNode& node) {
  node.previous->next = node.next;
  node.next->previous = node.previous;
  node.previous = nullptr;
  node.next = nullptr;
}

TimerNode* TimerWheel::take(std::size_t slot) {
  TimerNode& head = slots_.at(slot);
  TimerNode* const first = head.next;
  if (first == &head) {
    occupied_.at(slot / 64) &= ~(std::uint64_t{1} << (slot % 64));
    return nullptr;
  }
  unlink(*first);
  return first;
}

int TimerWheel::timeout_ms(Time now) const {
  std::uint64_t tick = current_ + 1;
  const std::uint64_t end = current_ + kSlots;
  while (tick < end) {
    const std::size_t slot = tick % kSlots;
    const std::uint64_t word = occupied_.at(slot / 64) >> (slot % 64);
    if (word != 0) {
      tick += static_cast<std::uint64_t>(std::countr_zero(word));
      break;
    }
    tick += 64 - slot % 64;
  }
  if (tick >= end) {
    return -1;
  }
  const auto due = start_ + kTick * static_cast<std::int64_t>(tick);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - now).count();
  return static_cast<int>(std::max<std::int64_t>(wait, 0));
}

}  // namespace roadstead::http
