#include "redis/client.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "redis/internal/connection.h"
#include "sys/thread_pool.h"

namespace roadstead::redis {
namespace {

using internal::Address;
using internal::Connection;
using internal::Deadline;
using internal::Socket;
using internal::Stream;
using internal::TlsContext;
using internal::unavailable;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kProbeEvery{1};
/// Written to find out whether the server takes what we will write.
constexpr std::string_view kProbeKey = "roadstead:probe";

/// Errors that say that a command was wrong. All others are about the server's state: it is a
/// replica, loads its data, has no memory or disk left, wants another password.
bool blames_command(std::string_view error) {
  const std::string_view kind = internal::kind_of_error(error);
  return kind == "ERR" || kind == "WRONGTYPE" || kind == "NOSCRIPT";
}

/// Where the server was when it was last found.
struct Place {
  Address address;
  std::string host;  ///< As its certificate names it.
};

}  // namespace

struct Client::State {
  State(Options client_options, log::Logger client_logger, std::unique_ptr<TlsContext> client_tls)
      : options(std::move(client_options)), logger(client_logger), tls(std::move(client_tls)) {}

  const Options options;
  const log::Logger logger;
  const std::unique_ptr<TlsContext> tls;

  std::mutex mutex;
  std::condition_variable freed;    ///< A connection came back, or the server went away.
  std::condition_variable changed;  ///< For the thread that looks for the server, and for open().
  bool away = true;                 ///< Until it was found.
  bool looked = false;              ///< It was looked for at least once.
  bool stop = false;
  bool told = false;  ///< The log says that it is away.
  Place place;
  /// Connections that were made before the last loss are closed when they come back.
  std::uint64_t generation = 0;
  std::vector<std::unique_ptr<Connection>> idle;  ///< The one used last is the last.
  std::size_t open = 0;                           ///< Idle, in use, or being opened.
  Statistics counts;
  std::optional<sys::ThreadPool> keeper;  ///< Last: its thread uses the others.

  struct Lent {
    std::unique_ptr<Connection> connection;
    std::uint64_t generation = 0;
  };

  Result<Lent> take(Deadline deadline);
  void give_back(Lent lent);
  void lost(std::uint64_t lost_generation, const Error& why);
  void forget_connection();
  Result<std::unique_ptr<Connection>> connect(const Place& at, Deadline deadline) const;
  Result<std::unique_ptr<Connection>> reach(const internal::Address& address,
                                            const std::string& host, Deadline deadline) const;

  void keep();
  Result<std::unique_ptr<Connection>> find(Place& found) const;
  Result<Endpoint> ask_sentinels() const;
  Result<Endpoint> ask_sentinel(const Endpoint& sentinel) const;
  Result<std::unique_ptr<Connection>> try_place(const Place& at) const;
};

Result<std::unique_ptr<Connection>> Client::State::reach(const Address& address,
                                                         const std::string& host,
                                                         Deadline deadline) const {
  Stream stream(TRY(Socket::connect(address, deadline)));
  if (tls) {
    TRY(stream.begin_tls(*tls, host, deadline));
  }
  return std::make_unique<Connection>(std::move(stream));
}

Result<std::unique_ptr<Connection>> Client::State::connect(const Place& at,
                                                           Deadline deadline) const {
  auto connection = TRY(reach(at.address, at.host, deadline));
  if (!options.password.empty() && !options.user.empty()) {
    TRY(connection->expect("AUTH", {"AUTH", options.user, options.password}, deadline));
  } else if (!options.password.empty()) {
    TRY(connection->expect("AUTH", {"AUTH", options.password}, deadline));
  }
  if (options.database != 0) {
    const std::string number = std::to_string(options.database);
    TRY(connection->expect("SELECT", {"SELECT", number}, deadline));
  }
  return connection;
}

Result<Client::State::Lent> Client::State::take(Deadline deadline) {
  std::unique_lock lock(mutex);
  for (;;) {
    if (away) {
      ++counts.refused;
      return unavailable("the server is away");
    }
    if (!idle.empty()) {
      Lent lent{std::move(idle.back()), generation};
      idle.pop_back();
      lock.unlock();
      if (!lent.connection->is_stale()) {
        return lent;
      }
      // The server closes what is idle for long, and all of it when it restarts.
      lent.connection.reset();
      lock.lock();
      --open;
      continue;
    }
    if (open < options.pool_size) {
      break;
    }
    if (freed.wait_until(lock, deadline) == std::cv_status::timeout) {
      ++counts.failures;
      return unavailable("all connections are busy");
    }
  }
  ++open;
  const std::uint64_t at_generation = generation;
  const Place at = place;
  lock.unlock();
  auto connection = connect(at, SteadyClock::now() + options.connect_time);
  if (!connection) {
    forget_connection();
    lost(at_generation, connection.error());
    return connection.error();
  }
  return Lent{std::move(*connection), at_generation};
}

void Client::State::forget_connection() {
  {
    const std::lock_guard lock(mutex);
    --open;
  }
  freed.notify_one();
}

void Client::State::give_back(Lent lent) {
  {
    const std::lock_guard lock(mutex);
    if (lent.generation == generation && !away) {
      idle.push_back(std::move(lent.connection));
    } else {
      --open;
    }
  }
  freed.notify_one();
}

/// Only who used a connection of this generation knows: others may have found the server since.
void Client::State::lost(std::uint64_t lost_generation, const Error& why) {
  std::vector<std::unique_ptr<Connection>> closed;
  bool tell = false;
  {
    const std::lock_guard lock(mutex);
    ++counts.failures;
    if (away || lost_generation != generation) {
      return;
    }
    away = true;
    ++generation;
    ++counts.losses;
    open -= idle.size();
    closed.swap(idle);
    tell = !std::exchange(told, true);
  }
  freed.notify_all();
  changed.notify_all();
  if (tell) {
    logger.warning("redis is away; all goes on without it", {{"reason", why.message}});
  }
}

Result<Endpoint> Client::State::ask_sentinel(const Endpoint& sentinel) const {
  const auto addresses = TRY(internal::look_up(sentinel));
  const Deadline deadline = SteadyClock::now() + options.connect_time;
  const auto connection = TRY(reach(addresses.front(), sentinel.host, deadline));
  if (!options.sentinel_password.empty()) {
    TRY(connection->expect("AUTH of a sentinel", {"AUTH", options.sentinel_password}, deadline));
  }
  const Reply reply = TRY(connection->expect(
      "SENTINEL", {"SENTINEL", "get-master-addr-by-name", options.master}, deadline));
  const auto port =
      reply.list.size() == 2 ? parse_uint64(reply.list[1].text) : std::optional<std::uint64_t>();
  if (!port || *port < 1 || *port > UINT16_MAX) {
    return unavailable(fmt::format("a sentinel knows no server named {}", options.master));
  }
  return Endpoint{reply.list[0].text, static_cast<std::uint16_t>(*port)};
}

Result<Endpoint> Client::State::ask_sentinels() const {
  Error last;
  for (const Endpoint& sentinel : options.endpoints) {
    auto server = ask_sentinel(sentinel);
    if (server) {
      return server;
    }
    last = server.error();
  }
  return last;
}

/// A connection to a server that takes writes now.
Result<std::unique_ptr<Connection>> Client::State::try_place(const Place& at) const {
  auto connection = TRY(connect(at, SteadyClock::now() + options.connect_time));
  const Deadline deadline = SteadyClock::now() + options.command_time;
  TRY(connection->expect("a write", {"SET", kProbeKey, "1", "PX", "1000"}, deadline));
  return connection;
}

Result<std::unique_ptr<Connection>> Client::State::find(Place& found) const {
  const Endpoint server = options.master.empty() ? options.endpoints.front() : TRY(ask_sentinels());
  const auto addresses = TRY(internal::look_up(server));
  Error last;
  for (const Address& address : addresses) {
    found = Place{address, server.host};
    auto connection = try_place(found);
    if (connection) {
      return connection;
    }
    last = connection.error();
  }
  return last;
}

/// The body of the client's thread: looks for the server whenever it is away.
void Client::State::keep() {
  std::unique_lock lock(mutex);
  while (!stop) {
    if (!away) {
      changed.wait(lock);
      continue;
    }
    const auto next = SteadyClock::now() + kProbeEvery;
    lock.unlock();
    Place found;
    auto connection = find(found);
    lock.lock();
    looked = true;
    if (connection) {
      place = found;
      away = false;
      ++open;
      idle.push_back(std::move(*connection));
    }
    changed.notify_all();
    const bool tell = std::exchange(told, !connection) != !connection;
    lock.unlock();
    if (tell && connection) {
      logger.info("redis answers again");
    } else if (tell) {
      logger.warning("redis is away; all goes on without it",
                     {{"reason", connection.error().message}});
    }
    lock.lock();
    // Also after a success: a server that answers this and nothing else is away for most of the
    // time.
    changed.wait_until(lock, next, [&] { return stop; });
  }
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Client>> Client::open(Options options, log::Logger logger) {
  std::unique_ptr<TlsContext> tls;
  if (options.tls) {
    tls = TRY(TlsContext::load(options));
  }
  const auto patience = options.connect_time + options.command_time;
  std::unique_ptr<Client> client(
      new Client(std::make_unique<State>(std::move(options), logger, std::move(tls))));
  State& state = *client->state_;
  state.keeper.emplace(sys::ThreadPool::Options{"redis", 1, 1, {}});
  CHECK(state.keeper->try_submit([&state] { state.keep(); }));
  std::unique_lock lock(state.mutex);
  state.changed.wait_for(lock, patience, [&] { return state.looked; });
  return client;
}

Client::~Client() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
  state_->keeper.reset();
}

Result<Reply> Client::command(std::span<const std::string_view> words) {
  State& state = *state_;
  State::Lent lent = TRY(state.take(SteadyClock::now() + state.options.command_time));
  // What a new connection took is on top: it was bounded by a time-out of its own.
  auto reply = lent.connection->call(words, SteadyClock::now() + state.options.command_time);
  const bool refused = reply && reply->kind == Reply::Kind::kError;
  {
    const std::lock_guard lock(state.mutex);
    ++state.counts.commands;
    state.counts.failures += refused && blames_command(reply->text) ? 1 : 0;
  }
  if (refused && blames_command(reply->text)) {
    state.give_back(std::move(lent));
    return Error{Code::kInternal, Subject::kNone, fmt::format("redis: {}", reply->text), {}};
  }
  if (reply && !refused) {
    state.give_back(std::move(lent));
    return reply;
  }
  const Error error =
      reply ? unavailable(fmt::format("the server says {}", internal::kind_of_error(reply->text)))
            : reply.error();
  lent.connection.reset();
  state.forget_connection();
  state.lost(lent.generation, error);
  return error;
}

Client::Statistics Client::statistics() const {
  const std::lock_guard lock(state_->mutex);
  Statistics counts = state_->counts;
  counts.away = state_->away;
  counts.connections = state_->open;
  return counts;
}

}  // namespace roadstead::redis
