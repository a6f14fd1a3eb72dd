#include "app/signals.h"

#include <signal.h>

#include <time.h>

namespace roadstead::app {
namespace {

sigset_t steering_signals() {
  sigset_t set{};
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Signals::Signals() {
  const sigset_t set = steering_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A client that goes away is an error of one write, not of the process.
  signal(SIGPIPE, SIG_IGN);
}

std::optional<Signals::Kind> Signals::wait(std::chrono::milliseconds timeout) {
  const sigset_t set = steering_signals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec limit{seconds.count(), std::chrono::nanoseconds(timeout - seconds).count()};
  switch (sigtimedwait(&set, nullptr, &limit)) {
    case SIGTERM:
    case SIGINT:
      return Kind::kStop;
    case SIGHUP:
      return Kind::kReload;
    default:
      return std::nullopt;
  }
}

}  // namespace roadstead::app
