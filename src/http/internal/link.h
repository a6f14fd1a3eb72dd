#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "http/internal/timer_wheel.h"

namespace roadstead::http {

struct Peer {
  std::string address;
  bool tls = false;
  bool trusted = false;  ///< A proxy whose X-Forwarded-* count.
  bool counted = false;  ///< Holds a place among the connections of its address.
};

/// One accepted socket as its loop sees it, whatever protocol it speaks. Lives on the loop's
/// thread; Loop::destroy() ends it.
class Link : public TimerNode {
 public:
  explicit Link(Peer peer) : peer_(std::move(peer)) {}
  virtual ~Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Each of these may end with the destruction of the link.
  virtual void on_event(std::uint32_t events) = 0;
  virtual void on_timer() = 0;
  virtual void on_ready() = 0;       ///< Its turn after Loop::make_ready().
  virtual void close_if_idle() = 0;  ///< For drain: closes when no request is under way.
  virtual void abandon() = 0;        ///< Closes whatever is under way.

  [[nodiscard]] const Peer& peer() const { return peer_; }

  std::size_t index = 0;  ///< Place in the loop's list.
  bool in_ready_list = false;

 private:
  Peer peer_;
};

/// Hears, on the loop's thread, that the job of its exchange has ended.
class JobOwner {
 public:
  virtual void on_job_done() = 0;

 protected:
  ~JobOwner() = default;
};

}  // namespace roadstead::http
