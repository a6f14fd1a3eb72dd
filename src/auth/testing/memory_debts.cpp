#include "auth/testing/memory_debts.h"

#include <algorithm>

namespace roadstead::auth::testing {

SharedDebts::Milliseconds MemoryDebts::left(const std::map<std::string, Time>& paid_at,
                                            const std::string& key) const {
  const auto found = paid_at.find(key);
  return found == paid_at.end()
             ? Milliseconds{0}
             : std::max(Milliseconds{0},
                        std::chrono::ceil<Milliseconds>(found->second - clock_.now()));
}

std::optional<std::vector<SharedDebts::Milliseconds>> MemoryDebts::owed(
    std::span<const std::string> keys) {
  if (away_) {
    return std::nullopt;
  }
  return paid_at_.with([&](const auto& paid_at) {
    std::vector<Milliseconds> times;
    for (const std::string& key : keys) {
      times.push_back(left(paid_at, key));
    }
    return times;
  });
}

void MemoryDebts::add(std::span<const Debt> debts) {
  if (away_) {
    return;
  }
  paid_at_.with([&](auto& paid_at) {
    for (const Debt& debt : debts) {
      paid_at[debt.key] = clock_.now() + std::min(debt.most, left(paid_at, debt.key) + debt.time);
    }
  });
}

void MemoryDebts::set(std::span<const Debt> debts) {
  if (away_) {
    return;
  }
  paid_at_.with([&](auto& paid_at) {
    for (const Debt& debt : debts) {
      paid_at[debt.key] = clock_.now() + debt.time;
    }
  });
}

void MemoryDebts::go_away() {
  away_ = true;
  paid_at_.with([](auto& paid_at) { paid_at.clear(); });
}

}  // namespace roadstead::auth::testing
