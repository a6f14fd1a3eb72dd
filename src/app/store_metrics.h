#pragma once

#include <memory>

#include "metrics/metrics.h"
#include "storage/disk_cache.h"
#include "storage/s3.h"

namespace roadstead::app {

/// Exposes what requests to an object store cost and how they end.
class StoreMetrics final : public storage::S3Observer {
 public:
  explicit StoreMetrics(metrics::Registry& metrics);
  ~StoreMetrics() override;
  void attempted(const storage::S3Attempt& attempt) override;
  void received(std::uint64_t bytes) override;

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

/// Exposes what the copies on this machine save. The cache outlives the registry's last exposition.
void export_cache(metrics::Registry& metrics, const storage::DiskCache& cache);

}  // namespace roadstead::app
