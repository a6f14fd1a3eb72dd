#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "http/internal/proxy_headers.h"
#include "http/internal/tls.h"
#include "http/server.h"

namespace roadstead::http {

/// What all loops of one server have in common.
struct Shared {
  Shared(ServerOptions server_options, Application& program, Observer& watcher,
         sys::ThreadPool& pool, log::Logger log)
      : options(std::move(server_options)),
        application(program),
        observer(watcher),
        workers(pool),
        logger(log) {}

  ServerOptions options;
  Application& application;
  Observer& observer;
  sys::ThreadPool& workers;
  log::Logger logger;
  TrustedProxies proxies;
  std::unique_ptr<TlsContext> tls;

  std::atomic<std::uint64_t> connections{0};
  /// Connections (or, behind a trusted proxy, running requests) of each client address. Used only
  /// when there is a limit.
  Guarded<std::unordered_map<std::string, std::size_t>> addresses;
  Guarded<std::uint64_t> connections_gone;  ///< Only to wait on.
  std::condition_variable connection_gone;

  /// False when the address has as many as it may.
  bool enter(const std::string& address) {
    const std::size_t max = options.limits.connections_per_address_max;
    return addresses.with([&](auto& counts) {
      std::size_t& count = counts[address];
      if (count >= max) {
        return false;
      }
      ++count;
      return true;
    });
  }
  void leave(const std::string& address) {
    addresses.with([&](auto& counts) {
      const auto found = counts.find(address);
      if (found != counts.end() && --found->second == 0) {
        counts.erase(found);
      }
    });
  }
};

}  // namespace roadstead::http
