#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roadstead::sys {

inline constexpr std::size_t kLocalMessageMax = std::size_t{64} << 10U;

/// Answers one-line requests on a Unix socket that only the owner of the process may use (mode
/// 0600). One connection at a time, each with 5 s to send its line: it serves people and scripts of
/// this machine.
class LocalServer {
 public:
  /// `handler` gets a request without its newline and returns the answer, also one line; it runs on
  /// the server's thread. A socket left by a dead process is replaced: call it while holding the
  /// data directory's lock.
  static Result<std::unique_ptr<LocalServer>> start(
      const std::filesystem::path& path, std::function<std::string(std::string_view)> handler);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

 private:
  struct State;
  explicit LocalServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Sends one line and returns the answer. Errors: kNotFound + kNone when nobody serves the socket,
/// kUnavailable on time-out.
Result<std::string> call_local_server(const std::filesystem::path& path, std::string_view request,
                                      std::chrono::milliseconds timeout);

}  // namespace roadstead::sys
