#include "auth/password_pool.h"

#include <condition_variable>
#include <functional>
#include <optional>

#include "base/guarded.h"
#include "crypto/password.h"

namespace roadstead::auth {
namespace {

/// Runs `work` on the pool and waits for its value. The caller's frame outlives the task because
/// it waits for it: the pool runs everything that it took.
template <typename T>
Result<T> run(sys::ThreadPool& pool, const std::function<T()>& work) {
  Guarded<std::optional<T>> slot;
  std::condition_variable ready;
  const bool taken = pool.try_submit([&] {
    T value = work();
    slot.with([&](std::optional<T>& result) {
      result.emplace(std::move(value));
      // Under the lock: once it is released, the waiter may be gone and `ready` with it.
      ready.notify_one();
    });
  });
  if (!taken) {
    return Error{Code::kRateLimited, Subject::kUser,
                 "too many sign-ins are being checked, try again later", "1"};
  }
  return slot.wait(
      ready, [](const std::optional<T>& result) { return result.has_value(); },
      [](std::optional<T>& result) { return std::move(*result); });
}

}  // namespace

PasswordPool::PasswordPool(Options options)
    // One place more, for what follows.
    : threads_(
          {.name = "password", .threads = options.threads, .queue_max = options.queue_max + 1}) {
  // Made ahead of time, so that the first unknown name costs no more than the next.
  (void)threads_.try_submit([] { (void)crypto::decoy_hash(); });
}

Result<bool> PasswordPool::verify(std::string_view password, std::string_view stored) {
  return run<bool>(threads_, [&] { return crypto::verify_password(password, stored); });
}

Result<std::string> PasswordPool::hash(std::string_view password) {
  return run<std::string>(threads_, [&] { return crypto::hash_password(password); });
}

}  // namespace roadstead::auth
