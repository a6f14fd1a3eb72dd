#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "redis/reply.h"
#include "redis/url.h"

namespace roadstead::redis {

/// A server that everybody can do without. Commands are short or fail: each takes one connection of
/// a bounded pool and has one deadline for waiting, connecting and the answer. After a failure the
/// server counts as away, and every command fails at once, without a system call, until a thread of
/// the client's own finds, at most once a second, that it takes writes again. Names are looked up
/// and sentinels are asked on that thread only. So a server that dies or hangs delays those who
/// asked it at that moment, once, and nobody else. Thread-safe.
class Client {
 public:
  /// All but `away` and `connections` only grow.
  struct Statistics {
    std::uint64_t commands = 0;  ///< Sent, whatever became of them.
    std::uint64_t failures = 0;  ///< Sent, or meant to be, and not answered as they should.
    std::uint64_t refused = 0;   ///< Failed at once, because the server was away.
    std::uint64_t losses = 0;    ///< How often the server was found to be away.
    std::uint64_t connections = 0;
    bool away = false;
  };

  /// Looks for the server, but waits for it no longer than a command would: that it is away is no
  /// error. Errors: kInvalid + kConfiguration when a file of TLS cannot be used.
  static Result<std::unique_ptr<Client>> open(Options options, log::Logger logger);
  /// No command may be running. Waits for the thread, which may be looking a name up.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends one command, its name first; binary-safe. It may have been executed even when this
  /// fails. Errors: kUnavailable when the server is away, too slow or does not take commands at
  /// present; kInternal when it refuses this one.
  Result<Reply> command(std::span<const std::string_view> words);
  Result<Reply> command(std::initializer_list<std::string_view> words) {
    return command(std::span(words.begin(), words.size()));
  }
  [[nodiscard]] Statistics statistics() const;

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::redis
