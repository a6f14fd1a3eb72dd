#include "http/server.h"

#include <algorithm>
#include <thread>

#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

class ServerImpl final : public Server {
 public:
  ServerImpl(std::unique_ptr<Shared> shared, std::vector<std::uint16_t> ports)
      : shared_(std::move(shared)), ports_(std::move(ports)) {}
  ~ServerImpl() override;

  Result<void> run(std::vector<std::vector<Listener>> listeners);
  [[nodiscard]] std::vector<std::uint16_t> ports() const override { return ports_; }
  bool drain(std::chrono::milliseconds limit) override;
  Result<void> reload_tls() override;
  [[nodiscard]] ServerStatistics statistics() override;

 private:
  std::unique_ptr<Shared> shared_;
  std::vector<std::uint16_t> ports_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

ServerImpl::~ServerImpl() {
  for (const auto& loop : loops_) {
    loop->command(Loop::Command::kStop);
  }
  for (const auto& loop : loops_) {
    loop->join();
  }
}

Result<void> ServerImpl::run(std::vector<std::vector<Listener>> listeners) {
  for (auto& of_one_loop : listeners) {
    loops_.push_back(std::make_unique<Loop>(*shared_, std::move(of_one_loop)));
  }
  for (const auto& loop : loops_) {
    TRY(loop->start());
  }
  return {};
}

bool ServerImpl::drain(std::chrono::milliseconds limit) {
  for (const auto& loop : loops_) {
    loop->command(Loop::Command::kDrain);
  }
  const auto none_left = [&](const std::uint64_t&) { return shared_->connections.load() == 0; };
  return shared_->connections_gone.wait_for(shared_->connection_gone, limit, none_left, none_left);
}

Result<void> ServerImpl::reload_tls() {
  return shared_->tls ? shared_->tls->reload() : Result<void>();
}

ServerStatistics ServerImpl::statistics() {
  ServerStatistics total;
  total.connections_open = shared_->connections.load();
  std::int64_t delay_ns = 0;
  for (const auto& loop : loops_) {
    total.connections_accepted += loop->accepted.load();
    total.uploads_streaming += loop->uploads.load();
    total.requests_refused += loop->refused.load();
    delay_ns = std::max(delay_ns, loop->delay_max_ns.exchange(0));
  }
  total.loop_delay_seconds_max = static_cast<double>(delay_ns) * 1e-9;
  return total;
}

Result<void> check(const ServerOptions& options) {
  const auto wants_tls = [](const ListenOptions& listen) { return listen.tls; };
  if (std::any_of(options.listen.begin(), options.listen.end(), wants_tls) && !options.tls) {
    return Error{Code::kInvalid, Subject::kNone, "listening with TLS needs a certificate", {}};
  }
  if (options.limits.upload_buffer_bytes == 0 || options.limits.body_rate_window.count() <= 0 ||
      options.limits.streams_per_connection_max == 0) {
    return Error{Code::kInvalid, Subject::kNone, "a limit of zero makes no sense here", {}};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Application& application,
                                              Observer& observer, sys::ThreadPool& workers,
                                              log::Logger logger) {
  TRY(check(options));
  if (options.io_threads == 0) {
    options.io_threads = std::max(1U, std::thread::hardware_concurrency());
  }
  auto proxies = TRY(TrustedProxies::parse(options.trusted_proxies));
  std::unique_ptr<TlsContext> tls;
  if (options.tls) {
    tls = TRY(TlsContext::load(*options.tls, options.http2));
  }
  std::vector<std::uint16_t> ports;
  std::vector<std::vector<Listener>> of_loops(options.io_threads);
  for (const ListenOptions& listen : options.listen) {
    auto listeners = TRY(Listener::open(listen, options.io_threads));
    ports.push_back(listeners.front().port());
    for (std::size_t i = 0; i < options.io_threads; ++i) {
      of_loops[i].push_back(std::move(listeners[i]));
    }
  }
  auto shared =
      std::make_unique<Shared>(std::move(options), application, observer, workers, logger);
  shared->proxies = std::move(proxies);
  shared->tls = std::move(tls);
  auto server = std::make_unique<ServerImpl>(std::move(shared), std::move(ports));
  TRY(server->run(std::move(of_loops)));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace roadstead::http
