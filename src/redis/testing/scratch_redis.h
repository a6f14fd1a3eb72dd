#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "redis/client.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::redis::testing {

/// Why tests that need a server are skipped, or empty: `if (…) GTEST_SKIP() << …`.
std::string why_no_server();

/// A self-signed certificate, made on the spot.
struct Certificate {
  Certificate(const std::filesystem::path& folder, std::string_view name,
              std::string_view address = "127.0.0.1");
  std::string certificate_file;
  std::string key_file;
};

/// A redis-server of a test's own on a port of 127.0.0.1 that it keeps over restarts; ends with the
/// test, however that ends. Failures abort, as a test can do nothing without it.
class ScratchRedis {
 public:
  struct Options {
    bool sentinel = false;
    const Certificate* tls = nullptr;  ///< Serve TLS only; outlives the server.
    std::vector<std::string> lines{};  ///< Of its configuration.
  };
  ScratchRedis() : ScratchRedis(Options{}) {}
  explicit ScratchRedis(Options options);
  ~ScratchRedis();
  ScratchRedis(const ScratchRedis&) = delete;
  ScratchRedis& operator=(const ScratchRedis&) = delete;

  void start();
  void kill();   ///< As kill -9 does.
  void pause();  ///< It keeps its connections and says nothing.
  void resume();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// "127.0.0.1:6379"
  [[nodiscard]] std::string address() const;
  /// "redis://127.0.0.1:6379/0" with a query: "?pool_size=1".
  [[nodiscard]] std::string url(std::string_view query = {}) const;
  /// Where a test may put files.
  [[nodiscard]] const std::filesystem::path& folder() const { return directory_.path(); }

 private:
  [[nodiscard]] bool try_start();
  void write_configuration() const;
  [[nodiscard]] bool listens() const;
  sys::testing::ScratchDirectory directory_;
  Options options_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// Opens it, with what it says in the log kept silent; a failure aborts.
std::unique_ptr<Client> open_client(const std::string& url);

/// What the log says of a server that is away, or nothing when it is not; `folder` is for the log.
std::string why_away(const std::string& url, const std::filesystem::path& folder);

/// Between two looks at what another process does.
void pause_for(std::chrono::milliseconds time);
/// Polls a condition of another process: there is nothing to be notified by. False when it does not
/// come true within ten seconds.
bool comes_true(const std::function<bool()>& condition);

}  // namespace roadstead::redis::testing
