#pragma once

#include <cstdint>
#include <memory>

#include "base/log.h"
#include "http/endpoint.h"
#include "metrics/metrics.h"

namespace roadstead::app {

/// Counts finished requests and writes the access log. Called on I/O threads; looks handles up in a
/// table that only grows by the fixed set of endpoints and status codes.
class RequestObserver final : public http::Observer {
 public:
  RequestObserver(metrics::Registry& metrics, log::Logger logger, bool access_log);
  ~RequestObserver() override;
  void completed(const http::Completed& request) override;
  /// Requests finished so far.
  [[nodiscard]] std::uint64_t answered() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::app
