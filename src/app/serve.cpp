#include "app/serve.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "app/node.h"
#include "app/signals.h"
#include "app/version.h"
#include "base/log.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

constexpr std::chrono::milliseconds kTick{1'000};

log::Level level_of(std::string_view name) {
  if (name == "debug") {
    return log::Level::kDebug;
  }
  if (name == "warning") {
    return log::Level::kWarning;
  }
  return name == "error" ? log::Level::kError : log::Level::kInfo;
}

void run_until_stopped(Node& node, Signals& signals, const std::function<void()>& reload) {
  for (;;) {
    const auto signal = signals.wait(kTick);
    if (signal == Signals::Kind::kStop) {
      return;
    }
    if (signal == Signals::Kind::kReload) {
      reload();
    }
    node.refresh_certificate(signal == Signals::Kind::kReload);
    node.tend();
  }
}

/// Drains beside the wait for a second signal, which ends the process without ceremony: what was
/// acknowledged is durable already.
void drain(Node& node, Signals& signals, std::chrono::milliseconds limit,
           const log::Logger& logger) {
  sys::notify_supervisor("STOPPING=1");
  logger.info("stopping: finishing running requests", {{"limit_seconds", limit.count() / 1000}});
  std::atomic<bool> done{false};
  std::thread drainer([&] {
    if (!node.drain(limit)) {
      logger.warning("stopped with requests unfinished");
    }
    done.store(true);
  });
  while (!done.load()) {
    if (signals.wait(std::chrono::milliseconds(50)) == Signals::Kind::kStop) {
      logger.warning("stopped at once by a second signal");
      std::_Exit(1);
    }
  }
  drainer.join();
}

}  // namespace

Result<void> serve(const Settings& settings, const LoadSettings& reload,
                   const std::function<void(std::string_view)>& print) {
  sys::bound_heap();
  Signals signals;
  sys::raise_descriptor_limit();
  const SystemClock clock;
  log::Sink sink(STDERR_FILENO,
                 settings.log_format == "json" ? log::Format::kJson : log::Format::kText,
                 level_of(settings.log_level), clock);
  const log::Logger logger(sink);
  const std::unique_ptr<Node> node = TRY(Node::start(settings, sink, print));
  for (const std::string& url : node->urls()) {
    print(fmt::format("Roadstead {} serves {}\n", kVersion, url));
    logger.info("listening", {{"url", url}});
  }
  sys::notify_supervisor("READY=1");
  run_until_stopped(*node, signals, [&] {
    const auto fresh = reload();
    if (!fresh) {
      logger.error("the configuration was not read again", {{"reason", fresh.error().message}});
      return;
    }
    sink.set_level(level_of(fresh->log_level));
    logger.info("configuration read again", {{"log_level", fresh->log_level}});
  });
  drain(*node, signals, settings.drain_time, logger);
  return {};
}

}  // namespace roadstead::app
