#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace roadstead::auth {

/// Time that is owed under a key, seen by all replicas, and paid by waiting: a debt of two seconds
/// is one of half a second after one and a half. Nothing here may be relied on: what was added may
/// be forgotten, and everything is when the place where it is kept goes away. No call takes longer
/// than a sign-in can bear. Thread-safe.
class SharedDebts {
 public:
  using Milliseconds = std::chrono::milliseconds;
  struct Debt {
    std::string key;  ///< Any bytes. May name people: implementations keep it from being read.
    Milliseconds time{};
    Milliseconds most{};  ///< What add() lets the debt grow to.
  };
  virtual ~SharedDebts() = default;

  /// What is owed under each key, 0 for none; nothing at all when that cannot be told now.
  virtual std::optional<std::vector<Milliseconds>> owed(std::span<const std::string> keys) = 0;
  virtual void add(std::span<const Debt> debts) = 0;
  /// Owed is `time` from now on, whatever it was.
  virtual void set(std::span<const Debt> debts) = 0;
};

}  // namespace roadstead::auth
