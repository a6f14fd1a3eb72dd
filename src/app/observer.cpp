#include "app/observer.h"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

namespace roadstead::app {
namespace {

const std::vector<double> kDurationBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                          0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                          1,      2.5,     5,      10,    30,     60};

struct RouteHandles {
  metrics::Counter* requests = nullptr;
  metrics::Histogram* duration = nullptr;
};

/// Endpoint names are literals that live as long as the program, so their address identifies them.
struct RouteKey {
  const void* endpoint = nullptr;
  int status = 0;
  bool operator==(const RouteKey&) const = default;
};
struct RouteKeyHash {
  std::size_t operator()(const RouteKey& key) const {
    return std::hash<const void*>{}(key.endpoint) ^
           (static_cast<std::size_t>(key.status) * 0x9E3779B97F4A7C15ULL);
  }
};

}  // namespace

struct RequestObserver::State {
  State(metrics::Registry& registry, log::Logger log, bool write_access_log)
      : metrics(registry),
        logger(log),
        access_log(write_access_log),
        bytes_in(
            registry.counter("roadstead_http_request_body_bytes_total", "Body bytes received")),
        bytes_out(registry.counter("roadstead_http_response_body_bytes_total", "Body bytes sent")),
        aborted(
            registry.counter("roadstead_http_aborted_total", "Requests whose client went away")) {}

  RouteHandles handles_of(std::string_view endpoint, int status) {
    const void* const address = endpoint.data();
    const RouteKey key{address, status};
    {
      const std::shared_lock lock(mutex);
      if (const auto found = routes.find(key); found != routes.end()) {
        return found->second;
      }
    }
    const std::string name = endpoint.empty() ? "- refused" : std::string(endpoint);
    const auto blank = name.find(' ');
    const std::string method = name.substr(0, blank);
    const std::string route = blank == std::string::npos ? name : name.substr(blank + 1);
    const RouteHandles handles{
        &metrics.counter(
            "roadstead_http_requests_total", "Finished requests",
            {{"method", method}, {"route", route}, {"status", std::to_string(status)}}),
        &metrics.histogram("roadstead_http_request_duration_seconds",
                           "From the first byte of a request to the last byte of its answer",
                           kDurationBounds, {{"method", method}, {"route", route}})};
    const std::unique_lock lock(mutex);
    return routes.emplace(key, handles).first->second;
  }

  metrics::Registry& metrics;
  log::Logger logger;
  const bool access_log;
  metrics::Counter& bytes_in;
  metrics::Counter& bytes_out;
  metrics::Counter& aborted;
  std::atomic<std::uint64_t> answered = 0;
  std::shared_mutex mutex;
  std::unordered_map<RouteKey, RouteHandles, RouteKeyHash> routes;
};

RequestObserver::RequestObserver(metrics::Registry& metrics, log::Logger logger, bool access_log)
    : state_(std::make_unique<State>(metrics, logger, access_log)) {}

RequestObserver::~RequestObserver() = default;

std::uint64_t RequestObserver::answered() const {
  return state_->answered.load(std::memory_order_relaxed);
}

void RequestObserver::completed(const http::Completed& request) {
  const double seconds = std::chrono::duration<double>(request.duration).count();
  const RouteHandles handles = state_->handles_of(request.endpoint, request.status);
  handles.requests->add();
  state_->answered.fetch_add(1, std::memory_order_relaxed);
  handles.duration->observe(seconds);
  if (request.bytes_in > 0) {
    state_->bytes_in.add(static_cast<double>(request.bytes_in));
  }
  if (request.bytes_out > 0) {
    state_->bytes_out.add(static_cast<double>(request.bytes_out));
  }
  if (request.aborted) {
    state_->aborted.add();
  }
  if (!state_->access_log) {
    return;
  }
  const log::Logger logger = state_->logger.with_request(request.request_id);
  logger.info("request", {{"client", request.client_address},
                          {"identity", request.identity},
                          {"method", request.method},
                          {"target", request.target},
                          {"route", request.endpoint},
                          {"status", request.status},
                          {"bytes_in", request.bytes_in},
                          {"bytes_out", request.bytes_out},
                          {"us", request.duration.count() / 1000},
                          {"agent", request.user_agent},
                          {"aborted", static_cast<int>(request.aborted)}});
}

}  // namespace roadstead::app
