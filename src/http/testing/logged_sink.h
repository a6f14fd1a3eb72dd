#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/guarded.h"
#include "base/text.h"
#include "http/endpoint.h"

namespace roadstead::http::testing {

/// What sinks did, and a gate that holds their writes back.
struct SinkLog {
  struct State {
    std::string received;
    std::size_t writes = 0;
    std::size_t largest = 0;
    int opened = 0;
    int begun = 0;  ///< Writes that were called, also those the gate holds.
    int destroyed = 0;
    int finished = 0;
    bool gate_open = true;
    std::size_t answer_at = SIZE_MAX;  ///< write() answers once this much has come.
  };
  Guarded<State> state;
  std::condition_variable changed;

  template <typename Ready>
  bool wait(Ready&& ready) {
    return state.wait_for(changed, std::chrono::seconds(20), ready, ready);
  }
  template <typename Change>
  void change(Change&& f) {
    state.with(f);
    changed.notify_all();
  }
};

class LoggedSink final : public BodySink {
 public:
  explicit LoggedSink(SinkLog& log) : log_(log) {
    log_.change([](auto& state) { ++state.opened; });
  }
  ~LoggedSink() override {
    log_.change([](auto& state) { ++state.destroyed; });
  }
  std::optional<Response> write(std::span<const std::byte> bytes) override {
    log_.change([](auto& state) { ++state.begun; });
    log_.wait([](const auto& state) { return state.gate_open; });
    bool answer = false;
    log_.change([&](auto& state) {
      state.received += text_of(bytes);
      ++state.writes;
      state.largest = std::max(state.largest, bytes.size());
      answer = state.received.size() >= state.answer_at;
    });
    return answer ? std::optional<Response>(Response(403)) : std::nullopt;
  }
  Response finish() override {
    log_.change([](auto& state) { ++state.finished; });
    return Response(201);
  }

 private:
  SinkLog& log_;
};

/// Holds handlers until it is opened.
class Gate {
 public:
  void enter() {
    state_.with([](State& state) { ++state.entered; });
    changed_.notify_all();
    state_.wait(changed_, [](const State& state) { return state.open; }, [](State&) {});
  }
  void wait_for(int count) {
    state_.wait(
        changed_, [&](const State& state) { return state.entered >= count; }, [](State&) {});
  }
  void open() {
    state_.with([](State& state) { state.open = true; });
    changed_.notify_all();
  }

 private:
  struct State {
    int entered = 0;
    bool open = false;
  };
  Guarded<State> state_;
  std::condition_variable changed_;
};

}  // namespace roadstead::http::testing
