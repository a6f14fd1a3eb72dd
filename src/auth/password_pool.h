#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/thread_pool.h"

namespace roadstead::auth {

/// Password hashing, which is slow on purpose, on a few threads of its own: however many logins
/// arrive, they take these threads and no others. Thread-safe.
class PasswordPool {
 public:
  struct Options {
    std::size_t threads = 2;
    std::size_t queue_max = 64;
  };
  explicit PasswordPool(Options options);

  /// Both wait for their turn. Errors: kRateLimited (`detail` = seconds to wait) when the queue is
  /// full.
  Result<bool> verify(std::string_view password, std::string_view stored);
  Result<std::string> hash(std::string_view password);

 private:
  sys::ThreadPool threads_;
};

}  // namespace roadstead::auth
