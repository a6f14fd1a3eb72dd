#pragma once

#include <atomic>
#include <map>
#include <string>

#include "auth/shared_debts.h"
#include "base/clock.h"
#include "base/guarded.h"

namespace roadstead::auth::testing {

/// Debts in memory, for the throttles of one process that play replicas.
class MemoryDebts final : public SharedDebts {
 public:
  explicit MemoryDebts(const Clock& clock) : clock_(clock) {}
  std::optional<std::vector<Milliseconds>> owed(std::span<const std::string> keys) override;
  void add(std::span<const Debt> debts) override;
  void set(std::span<const Debt> debts) override;
  /// As when the server is lost, with all it knew, until it is there again.
  void go_away();
  void come_back() { away_ = false; }

 private:
  [[nodiscard]] Milliseconds left(const std::map<std::string, Time>& paid_at,
                                  const std::string& key) const;
  const Clock& clock_;
  std::atomic<bool> away_ = false;
  Guarded<std::map<std::string, Time>> paid_at_;
};

}  // namespace roadstead::auth::testing
