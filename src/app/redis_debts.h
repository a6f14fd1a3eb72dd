#pragma once

#include <string>

#include "auth/shared_debts.h"
#include "metrics/metrics.h"
#include "redis/client.h"

namespace roadstead::app {

/// Debts in Redis: a key that expires when its debt is paid, so nothing has to be removed or
/// computed, and clocks of replicas do not matter. The names of keys are HMACs: whoever reads them
/// learns neither accounts nor addresses, and installations do not meet in one Redis.
class RedisDebts final : public auth::SharedDebts {
 public:
  /// `secret` is the same at all replicas. The client outlives this.
  RedisDebts(redis::Client& client, std::string secret)
      : client_(client), secret_(std::move(secret)) {}
  std::optional<std::vector<Milliseconds>> owed(std::span<const std::string> keys) override;
  void add(std::span<const Debt> debts) override;
  void set(std::span<const Debt> debts) override;

 private:
  void change(std::string_view script, std::span<const Debt> debts);
  [[nodiscard]] std::string name_of(std::string_view key) const;
  redis::Client& client_;
  std::string secret_;
};

/// Exposes how commands to Redis end. The client outlives the registry's last exposition.
void export_redis(metrics::Registry& metrics, const redis::Client& client);

}  // namespace roadstead::app
