#include "http/internal/loop.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "http/internal/connection.h"
#include "sys/process.h"

namespace roadstead::http {
namespace {

using std::chrono::milliseconds;

constexpr int kEventsPerTurn = 64;
constexpr int kAcceptsPerTurn = 32;
constexpr milliseconds kLate{5};
constexpr milliseconds kAcceptPause{100};
constexpr std::chrono::seconds kAcceptWarningEvery{10};
constexpr std::size_t kExchangeHeadBytes = std::size_t{8} << 10U;
constexpr std::size_t kKeptBodyMax = std::size_t{64} << 10U;
constexpr std::size_t kSpareExchangesMax = 64;
constexpr std::size_t kSpareBuffersMax = 8;
constexpr std::uint32_t kSocketEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint64_t kListenerTag = 1;  // Pointers are even; the eventfd is 0.

/// A bijection that leaves no visible order: consecutive counters give ids that look random and
/// never repeat.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

void write_hex(std::uint64_t value, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) {
    *out++ = kDigits[(value >> static_cast<unsigned>(shift)) & 0xFU];
  }
}

void refuse_connection(int fd, bool tls) {
  constexpr std::string_view kBusy =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
      "Connection: close\r\n\r\n";
  if (!tls) {
    [[maybe_unused]] const auto sent =
        ::send(fd, kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ::close(fd);
}

}  // namespace

Loop::Loop(Shared& shared, std::vector<Listener> listeners)
    : shared_(shared),
      listeners_(std::move(listeners)),
      now_(std::chrono::steady_clock::now()),
      wheel_(now_),
      scratch_(std::make_unique_for_overwrite<char[]>(kScratchBytes)) {
  std::array<std::uint64_t, 2> seed{};
  sys::random_bytes(std::as_writable_bytes(std::span(seed)));
  id_prefix_ = seed[0];
  id_counter_ = seed[1];
}

Loop::~Loop() {
  if (epoll_ >= 0) {
    ::close(epoll_);
  }
  if (event_ >= 0) {
    ::close(event_);
  }
}

Result<void> Loop::open() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  event_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_ < 0 || event_ < 0) {
    return system_error(errno, "create an event loop");
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = 0;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event);
  resume_accepting();
  return {};
}

Result<void> Loop::start() {
  TRY(open());
  thread_ = std::thread([this] { run(); });
  return {};
}

void Loop::command(Command command) {
  mailbox_.with([&](Mailbox& mailbox) {
    mailbox.command = std::max(mailbox.command, command);
    mailbox.signalled = true;
    signal();
  });
}

void Loop::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

/// Signals under the lock: once it is released the loop may end, and with it the descriptor.
void Loop::complete(Exchange& exchange) {
  mailbox_.with([&](Mailbox& mailbox) {
    mailbox.completed.push_back(&exchange);
    if (!mailbox.signalled) {
      mailbox.signalled = true;
      signal();
    }
  });
}

void Loop::signal() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
}

void Loop::run() {
  pthread_setname_np(pthread_self(), "http-io");
  // OpenSSL writes without MSG_NOSIGNAL; a peer that is gone must be an error code, not a signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  while (!stopping_ || !connections_.empty()) {
    turn();
  }
}

int Loop::sleep_ms() const {
  if (!ready_.empty()) {
    return 0;
  }
  const int timers = wheel_.timeout_ms(now_);
  const int accepting = accept_paused_ ? static_cast<int>(kAcceptPause.count()) : -1;
  return accepting < 0 ? timers : timers < 0 ? accepting : std::min(timers, accepting);
}

void Loop::turn() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = ::epoll_wait(epoll_, events.data(), kEventsPerTurn, sleep_ms());
  begin_turn(read_clock());
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == 0) {
      mail_ = true;
      // NOLINTBEGIN(performance-no-int-to-ptr): epoll gives back the number it was given.
    } else if ((event.data.u64 & kListenerTag) != 0) {
      accept_from(*reinterpret_cast<Listener*>(event.data.u64 & ~kListenerTag));
    } else {
      reinterpret_cast<Link*>(event.data.u64)->on_event(event.events);
      // NOLINTEND(performance-no-int-to-ptr)
    }
  }
  if (mail_) {
    mail_ = false;
    read_mailbox();
  }
  wheel_.advance(now_, [](TimerNode& node) { static_cast<Link&>(node).on_timer(); });
  run_ready();
  if (accept_paused_ && now_ >= accept_again_) {
    resume_accepting();
  }
  previous_duration_ = now_ - turn_started_;
  if (previous_duration_.count() > delay_max_ns.load(std::memory_order_relaxed)) {
    delay_max_ns.store(previous_duration_.count(), std::memory_order_relaxed);
  }
}

void Loop::begin_turn(Time now) {
  turn_started_ = now;
  if (now < date_due_) {
    return;
  }
  const auto wall =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto second = std::chrono::floor<std::chrono::seconds>(wall);
  date_line_ = "Date: " + format_http_date(wall) + "\r\n";
  date_due_ = now + (second + std::chrono::seconds(1) - wall);
}

/// Events at the front of this turn may have waited for all of the previous one.
bool Loop::late() const {
  return (now_ - turn_started_ > kLate || previous_duration_ > kLate) &&
         shared_.workers.queued() == 0;
}

void Loop::read_mailbox() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto got = ::read(event_, &ignored, sizeof ignored);
  const Command command = mailbox_.with([&](Mailbox& mailbox) {
    mailbox.signalled = false;
    completed_now_.swap(mailbox.completed);
    return std::exchange(mailbox.command, Command::kNone);
  });
  for (Exchange* exchange : completed_now_) {
    exchange->owner->on_job_done();
  }
  completed_now_.clear();
  obey(command);
}

void Loop::obey(Command command) {
  if (command == Command::kNone) {
    return;
  }
  close_listeners();
  draining_ = true;
  stopping_ = stopping_ || command == Command::kStop;
  const std::vector<Link*> all = connections_;  // Closing one takes it from the list.
  for (Link* link : all) {
    if (stopping_) {
      link->abandon();
    } else {
      link->close_if_idle();
    }
  }
  // The last connection may have ended before this loop knew that somebody waits for it.
  tell_connection_gone();
}

void Loop::tell_connection_gone() {
  shared_.connections_gone.with([](std::uint64_t& gone) { ++gone; });
  shared_.connection_gone.notify_all();
}

void Loop::accept_from(Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Accepted accepted_socket;
    const auto status = listener.accept(accepted_socket);
    if (status == Listener::Status::kEmpty) {
      return;
    }
    if (status == Listener::Status::kExhausted) {
      pause_accepting();
      return;
    }
    accepted.fetch_add(1, std::memory_order_relaxed);
    adopt(std::move(accepted_socket), listener);
  }
}

void Loop::adopt(Accepted accepted_socket, const Listener& listener) {
  const int fd = accepted_socket.fd;
  const bool trusted = shared_.proxies.trusts(accepted_socket.address);
  const bool counted = limits().connections_per_address_max > 0 && !trusted;
  if (shared_.connections.load(std::memory_order_relaxed) >= limits().connections_max ||
      (counted && !shared_.enter(accepted_socket.address))) {
    refused.fetch_add(1, std::memory_order_relaxed);
    refuse_connection(fd, listener.tls());
    return;
  }
  std::unique_ptr<TlsSession> tls = listener.tls() ? shared_.tls->accept(fd) : nullptr;
  add(std::make_unique<Connection>(
          *this, fd, std::move(tls),
          Peer{std::move(accepted_socket.address), listener.tls(), trusted, counted}),
      fd);
}

void Loop::add(std::unique_ptr<Link> link, int fd) {
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  link->index = connections_.size();
  epoll_event event{};
  event.events = kSocketEvents;
  event.data.ptr = link.get();
  connections_.push_back(link.release());  // destroy() is its end.
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    destroy(*connections_.back());
  }
}

void Loop::pause_accepting() {
  for (const Listener& listener : listeners_) {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listener.descriptor(), nullptr);
  }
  accept_paused_ = true;
  accept_again_ = now_ + kAcceptPause;
  if (now_ >= accept_warning_due_) {
    accept_warning_due_ = now_ + kAcceptWarningEvery;
    shared_.logger.warning("accepting paused: out of descriptors or memory");
  }
}

void Loop::resume_accepting() {
  accept_paused_ = false;
  for (Listener& listener : listeners_) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = reinterpret_cast<std::uint64_t>(&listener) | kListenerTag;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener.descriptor(), &event);
  }
}

/// What waits in the backlog was acknowledged by the kernel: it is taken over before the socket
/// closes.
void Loop::close_listeners() {
  for (Listener& listener : listeners_) {
    accept_from(listener);
  }
  accept_paused_ = false;
  listeners_.clear();
}

void Loop::make_ready(Link& link) {
  if (!link.in_ready_list) {
    link.in_ready_list = true;
    ready_.push_back(&link);
  }
}

void Loop::run_ready() {
  ready_now_.swap(ready_);
  for (std::size_t i = 0; i < ready_now_.size(); ++i) {
    if (Link* link = ready_now_[i]) {
      link->in_ready_list = false;
      link->on_ready();
    }
  }
  ready_now_.clear();
}

void Loop::forget(Link& link) {
  wheel_.cancel(link);
  if (link.in_ready_list) {
    std::replace(ready_.begin(), ready_.end(), &link, static_cast<Link*>(nullptr));
    std::replace(ready_now_.begin(), ready_now_.end(), &link, static_cast<Link*>(nullptr));
  }
}

void Loop::destroy(Link& link) {
  forget(link);
  if (link.peer().counted) {
    shared_.leave(link.peer().address);
  }
  connections_.back()->index = link.index;
  connections_[link.index] = connections_.back();
  connections_.pop_back();
  delete &link;
  shared_.connections.fetch_sub(1, std::memory_order_release);
  if (draining_) {
    tell_connection_gone();
  }
}

void Loop::replace(Link& old, std::unique_ptr<Link> fresh, int fd) {
  forget(old);
  epoll_event event{};
  event.events = kSocketEvents;  // Reports at once what the socket is ready for.
  event.data.ptr = fresh.get();
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  fresh->index = old.index;
  connections_[old.index] = fresh.release();
  delete &old;
}

std::string_view Loop::new_request_id(std::array<char, 32>& buffer) {
  write_hex(id_prefix_, buffer.data());
  write_hex(mix(++id_counter_), buffer.data() + 16);
  return {buffer.data(), buffer.size()};
}

std::unique_ptr<Exchange> Loop::take_exchange() {
  std::unique_ptr<Exchange> exchange;
  if (spare_exchanges_.empty()) {
    exchange = std::make_unique<Exchange>(shared_.logger);
    exchange->loop = this;
  } else {
    exchange = std::move(spare_exchanges_.back());
    spare_exchanges_.pop_back();
  }
  exchange->in.reserve(kExchangeHeadBytes);
  return exchange;
}

void Loop::give_back(std::unique_ptr<Exchange> exchange) {
  if (spare_exchanges_.size() >= kSpareExchangesMax) {
    return;
  }
  exchange->in.clear();
  exchange->consumed = 0;
  if (exchange->in.capacity() != kExchangeHeadBytes) {
    exchange->in.release();
  }
  if (exchange->body.capacity() > kKeptBodyMax) {
    exchange->body.release();
  }
  spare_exchanges_.push_back(std::move(exchange));
}

std::unique_ptr<char[]> Loop::take_upload_buffer() {
  if (spare_buffers_.empty()) {
    return std::make_unique_for_overwrite<char[]>(limits().upload_buffer_bytes);
  }
  auto buffer = std::move(spare_buffers_.back());
  spare_buffers_.pop_back();
  return buffer;
}

void Loop::give_back(std::unique_ptr<char[]> buffer) {
  if (buffer && spare_buffers_.size() < kSpareBuffersMax) {
    spare_buffers_.push_back(std::move(buffer));
  }
}

}  // namespace roadstead::http
