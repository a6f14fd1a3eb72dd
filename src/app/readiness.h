#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"
#include "http/endpoint.h"

namespace roadstead::app {

/// Whether this process can serve: what it depends on is asked every few seconds on a thread of its
/// own, so that the answer costs nothing and comes at once, however long a dead server takes to not
/// answer. Thread-safe.
class Readiness {
 public:
  /// Something that requests need, and a question that shows whether it is there.
  struct Dependency {
    std::string name;
    std::function<Result<void>()> probe;
    std::chrono::seconds every{2};  ///< While it is there; while it is away it is asked more often.
  };
  struct Component {
    std::string name{};
    bool healthy = false;
    std::string error{};  ///< Fit for strangers: no address and no name of an account.
  };

  /// Asks everything once. What the probes use outlives it.
  Readiness(std::string replica, std::vector<Dependency> dependencies);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// From now on it is not ready: a balancer sends new requests elsewhere while running ones end.
  void drain();
  [[nodiscard]] bool ready() const;
  /// Of one dependency.
  [[nodiscard]] bool is_healthy(std::string_view name) const;
  [[nodiscard]] std::vector<Component> components() const;
  [[nodiscard]] const std::string& replica() const { return replica_; }

 private:
  struct Known {
    Component component{};
    std::chrono::steady_clock::time_point asked_at{};
    std::chrono::steady_clock::time_point answered_at{};
  };
  struct Shared {
    bool quit = false;
    bool draining = false;
    std::vector<Known> known;
  };
  void work();
  void ask(std::size_t index);

  const std::string replica_;
  const std::vector<Dependency> dependencies_;
  Guarded<Shared> shared_;
  std::condition_variable changed_;
  std::thread thread_;
};

/// GET /livez: the process answers. For a supervisor that restarts what does not: it says nothing
/// of what the process depends on, which no restart brings back.
class LiveEndpoint final : public http::Endpoint {
 public:
  [[nodiscard]] std::string_view name() const override { return "GET /livez"; }
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override;
};

/// GET /readyz: 200 when requests can be sent here, 503 otherwise, and why.
class ReadyEndpoint final : public http::Endpoint {
 public:
  explicit ReadyEndpoint(const Readiness& readiness) : readiness_(readiness) {}
  [[nodiscard]] std::string_view name() const override { return "GET /readyz"; }
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override;

 private:
  const Readiness& readiness_;
};

}  // namespace roadstead::app
