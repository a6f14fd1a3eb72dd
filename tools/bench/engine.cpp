#include "engine.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace roadstead::bench {
namespace {

constexpr size_t kBufferSize = size_t{256} << 10;
constexpr int kTurnsMax = 8;         // Then the other connections get theirs.
constexpr int kConnectingMax = 128;  // Below any listener's backlog.
constexpr unsigned kSlowSlots = 10;
constexpr double kSlowTick = 0.05;

double now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

}  // namespace

struct Engine::Connection {
  enum class Phase { kIdle, kSending, kReceiving };

  int index = 0;
  Transport transport;
  ResponseReader reader;
  std::unique_ptr<Session> session;
  Request request;
  Phase phase = Phase::kIdle;
  size_t head_sent = 0;
  uint64_t body_sent = 0;
  double began = 0;
  uint64_t budget = 0;  // Bytes a slow connection may still move in this tick.
  bool slow = false;
  bool connecting = false;
  bool used = false;  // An answer was received on the present socket.
  bool queued = false;
  bool closed_while_idle = false;
};

Engine::Engine(const EngineOptions& options, Workload& workload)
    : options_(options),
      workload_(workload),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBufferSize) {
  options_.connections = std::clamp(options_.connections, 1, kConnectionsMax);
  for (int i = 0; i < options_.connections; ++i) {
    auto connection = std::make_unique<Connection>();
    connection->index = i;
    connection->session = workload_.session(i);
    connection->slow = options_.rate > 0 && i % std::max(1, options_.slow_every) == 0;
    connections_.push_back(std::move(connection));
  }
}

Engine::~Engine() {
  connections_.clear();
  ::close(epoll_);
}

RunStats Engine::run(uint64_t first, uint64_t count) {
  stats_ = RunStats{};
  stats_.latency_ms.reserve(std::min<uint64_t>(count, 20'000'000));
  first_ = first;
  next_ = first;
  end_ = first + count;
  unstarted_ = 0;
  active_ = 0;
  stats_.began = now();
  deadline_ = stats_.began + options_.seconds_max;
  slow_tick_at_ = stats_.began;
  free_.clear();
  if (options_.pace > 0) {
    for (auto& connection : connections_) {
      free_.push_back(connection.get());
    }
  }
  while (running()) {
    options_.pace > 0 ? start_due() : start_waiting();
    drive_again();
    poll_events(wait_seconds());
    service_slow();
  }
  stats_.seconds = now() - stats_.began;
  abandon_unfinished();
  return std::move(stats_);
}

bool Engine::running() const {
  const bool waiting = options_.pace > 0 || unstarted_ < connections_.size();
  const bool more = active_ > 0 || (waiting && next_ < end_);
  return more && stats_.errors < kErrorsMax && now() < deadline_;
}

void Engine::abandon_unfinished() {
  stats_.unfinished = active_;
  again_.clear();
  for (auto& connection : connections_) {
    connection->queued = false;
    if (connection->phase != Connection::Phase::kIdle) {
      connection->phase = Connection::Phase::kIdle;
      connection->transport.close();
    }
  }
  connecting_ = 0;
}

void Engine::start_waiting() {
  while (unstarted_ < connections_.size() && connecting_ < kConnectingMax && next_ < end_) {
    begin_operation(*connections_[unstarted_++], now());
  }
}

void Engine::begin_operation(Connection& connection, double due) {
  ++active_;
  connection.began = due;
  take_step(connection, connection.session->begin(next_++));
  drive(connection);
}

double Engine::due_time(uint64_t operation) const {
  return stats_.began + static_cast<double>(operation - first_) / options_.pace;
}

void Engine::start_due() {
  const double time = now();
  while (next_ < end_ && due_time(next_) <= time) {
    if (!free_.empty() && connecting_ < kConnectingMax) {
      Connection& connection = *free_.back();
      free_.pop_back();
      begin_operation(connection, due_time(next_));
    } else if (due_time(next_) + kDueMax < time) {
      ++stats_.missed;
      ++next_;
    } else {
      return;
    }
  }
}

double Engine::wait_seconds() const {
  if (!again_.empty()) {
    return 0;
  }
  if (options_.pace > 0 && next_ < end_) {
    const double left = due_time(next_) - now();
    return free_.empty() ? 0.01 : std::clamp(left, 0.0, 0.1);
  }
  return options_.rate > 0 ? 0.01 : 0.1;
}

bool Engine::ensure_open(Connection& connection) {
  if (connection.transport.is_open()) {
    return true;
  }
  const int receive_buffer = connection.slow ? 64 << 10 : 0;
  if (!connection.transport.connect(options_.target, options_.tls, receive_buffer)) {
    return false;
  }
  connection.used = false;
  connection.connecting = true;
  connection.budget = std::max<uint64_t>(connection.budget, 1024);  // The head need not wait.
  ++connecting_;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.transport.fd(), &event) == 0;
}

void Engine::take_step(Connection& connection, const Step& step) {
  switch (step.kind) {
    case Step::Kind::kSend:
      connection.request = step.request;
      connection.head_sent = 0;
      connection.body_sent = 0;
      connection.reader.expect(step.request.is_head, step.request.keep, step.request.sink);
      connection.phase = Connection::Phase::kSending;
      if (!ensure_open(connection)) {
        fail(connection, "cannot open a socket");
      }
      return;
    case Step::Kind::kFailed:
      fail(connection, step.error);
      return;
    case Step::Kind::kDone:
      ++stats_.operations;
      stats_.payload_bytes += connection.session->payload();
      stats_.latency_ms.push_back(static_cast<float>((now() - connection.began) * 1000));
      stats_.ended.push_back(static_cast<float>(now() - stats_.began));
      next_operation(connection);
      return;
  }
}

void Engine::next_operation(Connection& connection) {
  if (options_.pace > 0 || next_ >= end_ || options_.one_operation_each ||
      stats_.errors >= kErrorsMax) {
    connection.phase = Connection::Phase::kIdle;
    --active_;
    if (options_.pace > 0) {
      free_.push_back(&connection);
    }
    return;
  }
  connection.began = now();
  take_step(connection, connection.session->begin(next_++));
}

void Engine::fail(Connection& connection, const std::string& why) {
  ++stats_.errors;
  if (stats_.first_error.empty()) {
    stats_.first_error = why;
  }
  if (connection.connecting) {
    connection.connecting = false;
    --connecting_;
  }
  // The state of this connection is unknown: the next operation opens a new one.
  connection.transport.close();
  next_operation(connection);
}

void Engine::drive(Connection& connection) {
  for (int i = 0; i < kTurnsMax; ++i) {
    if (turn(connection) == Progress::kBlocked) {
      return;
    }
  }
  if (!connection.queued) {
    connection.queued = true;
    again_.push_back(&connection);
  }
}

void Engine::drive_again() {
  std::vector<Connection*> ready;
  ready.swap(again_);
  for (auto* connection : ready) {
    connection->queued = false;
    drive(*connection);
  }
}

Engine::Progress Engine::turn(Connection& connection) {
  if (connection.slow && connection.budget == 0) {
    return Progress::kBlocked;
  }
  switch (connection.phase) {
    case Connection::Phase::kSending:
      return send_some(connection);
    case Connection::Phase::kReceiving:
      return receive_some(connection);
    case Connection::Phase::kIdle:
      break;
  }
  return Progress::kBlocked;
}

Engine::Progress Engine::send_some(Connection& connection) {
  const auto head = connection.request.head.substr(connection.head_sent);
  auto piece = connection.request.body.piece_at(connection.body_sent);
  if (connection.slow) {
    piece = piece.substr(0, connection.budget);
  }
  size_t sent = 0;
  const Io result = connection.transport.send(head, piece, sent);
  if (result == Io::kWouldBlock || result == Io::kClosed) {
    answered_early(connection);
    if (result == Io::kClosed && connection.phase == Connection::Phase::kSending) {
      lost(connection);
      return Progress::kAgain;
    }
    return Progress::kBlocked;
  }
  if (result == Io::kFailed) {
    fail(connection, "send failed");
    return Progress::kAgain;
  }
  if (connection.connecting) {
    connection.connecting = false;
    --connecting_;
  }
  const size_t of_head = std::min(sent, head.size());
  connection.head_sent += of_head;
  connection.body_sent += sent - of_head;
  connection.budget -= std::min<uint64_t>(connection.budget, sent);
  if (connection.head_sent == connection.request.head.size() &&
      connection.body_sent == connection.request.body.size()) {
    connection.phase = Connection::Phase::kReceiving;
  }
  return Progress::kAgain;
}

// A server may refuse a body before it has read it all; what it says is better than EPIPE.
void Engine::answered_early(Connection& connection) {
  if (connection.connecting || connection.head_sent == 0) {
    return;
  }
  size_t got = 0;
  if (connection.transport.receive(buffer_.data(), buffer_.size(), got) != Io::kDone) {
    return;
  }
  if (!connection.reader.feed({buffer_.data(), got})) {
    fail(connection, connection.reader.error());
  } else if (connection.reader.complete()) {
    connection.transport.close();
    if (!take_refusal(connection)) {
      fail(connection, "answered " + std::to_string(connection.reader.response().status) +
                           " before the body was sent");
    }
  }
}

Engine::Progress Engine::receive_some(Connection& connection) {
  const size_t size =
      connection.slow ? std::min<uint64_t>(buffer_.size(), connection.budget) : buffer_.size();
  size_t got = 0;
  const Io result = connection.transport.receive(buffer_.data(), size, got);
  if (result == Io::kWouldBlock) {
    return Progress::kBlocked;
  }
  if (result == Io::kFailed) {
    fail(connection, "receive failed");
    return Progress::kAgain;
  }
  if (result == Io::kClosed) {
    if (!connection.reader.started()) {
      lost(connection);
    } else if (!connection.reader.end()) {
      fail(connection, connection.reader.error());
    } else {
      take_answer(connection);
    }
    return Progress::kAgain;
  }
  stats_.received_bytes += got;
  connection.budget -= std::min<uint64_t>(connection.budget, got);
  if (!connection.reader.feed({buffer_.data(), got})) {
    fail(connection, connection.reader.error());
  } else if (connection.reader.complete()) {
    take_answer(connection);
  } else if (got < size && options_.tls == nullptr) {
    return Progress::kBlocked;  // Drained: the next byte raises a new edge.
  }
  return Progress::kAgain;
}

void Engine::take_answer(Connection& connection) {
  connection.used = true;
  if (connection.reader.response().close) {
    connection.transport.close();
  }
  if (!take_refusal(connection)) {
    take_step(connection, connection.session->next(connection.reader.response()));
  }
}

bool Engine::take_refusal(Connection& connection) {
  const Response& response = connection.reader.response();
  if (!options_.refusals || response.status != 503 || !response.retry_after) {
    return false;
  }
  ++stats_.refused;
  stats_.refusal_ms.push_back(static_cast<float>((now() - connection.began) * 1000));
  next_operation(connection);
  return true;
}

// Closed without a byte of an answer. On a used connection that is the ordinary race between a
// server's keep-alive limit and our next request, so the request is sent once more on a new one.
void Engine::lost(Connection& connection) {
  if (!connection.used) {
    fail(connection, "connection refused or closed without an answer");
    return;
  }
  ++stats_.reconnects;
  connection.transport.close();
  take_step(connection, Step::send(connection.request));
}

void Engine::service_slow() {
  if (options_.rate == 0 || now() < slow_tick_at_) {
    return;
  }
  slow_tick_at_ += kSlowTick;
  const uint64_t share =
      static_cast<uint64_t>(static_cast<double>(options_.rate) * kSlowTick * kSlowSlots);
  for (size_t i = slow_slot_; i < connections_.size(); i += kSlowSlots) {
    auto& connection = *connections_[i];
    if (connection.slow) {
      connection.budget = share;
      drive(connection);
    }
  }
  slow_slot_ = (slow_slot_ + 1) % kSlowSlots;
}

void Engine::poll_events(double seconds) {
  std::array<epoll_event, 256> events;
  // Finer than epoll_wait's milliseconds: operations of an open loop are due at microseconds.
  const timespec timeout{0, static_cast<long>(std::min(seconds, 0.999) * 1e9)};
  const int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto& event = events.at(static_cast<size_t>(i));
    auto& connection = *static_cast<Connection*>(event.data.ptr);
    if (connection.phase != Connection::Phase::kIdle) {
      drive(connection);
    } else if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      connection.closed_while_idle = true;
      connection.transport.close();
    }
  }
}

int Engine::hold(double seconds) {
  for (auto& connection : connections_) {
    connection->closed_while_idle = false;
  }
  for (const double end = now() + seconds; now() < end;) {
    poll_events(0.05);
  }
  return static_cast<int>(std::count_if(connections_.begin(), connections_.end(),
                                        [](const auto& c) { return c->closed_while_idle; }));
}

int Engine::open_connections() const {
  return static_cast<int>(std::count_if(connections_.begin(), connections_.end(),
                                        [](const auto& c) { return c->transport.is_open(); }));
}

}  // namespace roadstead::bench
