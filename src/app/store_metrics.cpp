#include "app/store_metrics.h"

#include <array>

namespace roadstead::app {
namespace {

using storage::kS3Operations;
using storage::kS3Outcomes;
using storage::S3Operation;
using storage::S3Outcome;

}  // namespace

struct StoreMetrics::Handles {
  std::array<std::array<metrics::Counter*, kS3Outcomes>, kS3Operations> requests{};
  std::array<metrics::Histogram*, kS3Operations> seconds{};
  metrics::Counter* retries = nullptr;
  metrics::Counter* sent = nullptr;
  metrics::Counter* received = nullptr;
};

StoreMetrics::StoreMetrics(metrics::Registry& metrics) : handles_(std::make_unique<Handles>()) {
  const std::vector<double> bounds{0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                   0.5,   1,     2.5,  5,     10,   30};
  for (std::size_t operation = 0; operation < kS3Operations; ++operation) {
    const std::string name(to_string(static_cast<S3Operation>(operation)));
    handles_->seconds.at(operation) = &metrics.histogram(
        "roadstead_s3_request_seconds", "Time until the header of an answer of the object store",
        bounds, {{"operation", name}});
    for (std::size_t outcome = 0; outcome < kS3Outcomes; ++outcome) {
      handles_->requests.at(operation).at(outcome) = &metrics.counter(
          "roadstead_s3_requests_total", "Requests to the object store, each attempt of them",
          {{"operation", name},
           {"outcome", std::string(to_string(static_cast<S3Outcome>(outcome)))}});
    }
  }
  handles_->retries = &metrics.counter("roadstead_s3_retries_total",
                                       "Requests to the object store that were sent again");
  handles_->sent =
      &metrics.counter("roadstead_s3_sent_bytes_total", "Bytes of bodies sent to the object store");
  handles_->received = &metrics.counter("roadstead_s3_received_bytes_total",
                                        "Bytes of bodies received from the object store");
}

StoreMetrics::~StoreMetrics() = default;

void StoreMetrics::attempted(const storage::S3Attempt& attempt) {
  const auto operation = static_cast<std::size_t>(attempt.operation);
  handles_->requests.at(operation).at(static_cast<std::size_t>(attempt.outcome))->add();
  handles_->seconds.at(operation)->observe(std::chrono::duration<double>(attempt.took).count());
  if (attempt.retry) {
    handles_->retries->add();
  }
  handles_->sent->add(static_cast<double>(attempt.sent_bytes));
  handles_->received->add(static_cast<double>(attempt.received_bytes));
}

void StoreMetrics::received(std::uint64_t bytes) {
  handles_->received->add(static_cast<double>(bytes));
}

void export_cache(metrics::Registry& metrics, const storage::DiskCache& cache) {
  const auto reads = [&](const std::string& how) -> metrics::Gauge& {
    return metrics.gauge("roadstead_cache_reads_total",
                         "Downloads from an object store by where they came from", {{"from", how}});
  };
  auto& hits = reads("copy");
  auto& joined = reads("growing_copy");
  auto& misses = reads("store");
  auto& bypassed = reads("store_uncopied");
  auto& failures =
      metrics.gauge("roadstead_cache_failures_total", "Copies of blobs that did not become whole");
  auto& evictions =
      metrics.gauge("roadstead_cache_evictions_total", "Copies of blobs that made room for others");
  auto& bytes = metrics.gauge("roadstead_cache_bytes", "Size of all copies of blobs");
  auto& blobs = metrics.gauge("roadstead_cache_blobs", "Number of copies of blobs");
  metrics.before_scrape([&] {
    const storage::DiskCache::Statistics statistics = cache.statistics();
    hits.set(static_cast<double>(statistics.hits));
    joined.set(static_cast<double>(statistics.joined));
    misses.set(static_cast<double>(statistics.misses));
    bypassed.set(static_cast<double>(statistics.bypassed));
    failures.set(static_cast<double>(statistics.failures));
    evictions.set(static_cast<double>(statistics.evictions));
    bytes.set(static_cast<double>(statistics.bytes));
    blobs.set(static_cast<double>(statistics.blobs));
  });
}

}  // namespace roadstead::app
