#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/log.h"
#include "http/server.h"

namespace roadstead::http::testing {

/// An endpoint made of functions; those left out behave as in Endpoint.
struct FunctionEndpoint final : Endpoint {
  using TryNow = std::function<std::optional<Response>(const Request&, Context&)>;
  using Handle = std::function<Response(const Request&, Context&)>;
  using Opened = std::variant<Response, std::unique_ptr<BodySink>>;
  using Open = std::function<Opened(const Request&, Context&)>;

  std::string label = "test";
  BodyMode mode = BodyMode::kNone;
  std::size_t max = 0;
  TryNow on_try_now;
  Handle on_handle;
  Open on_open;

  [[nodiscard]] std::string_view name() const override { return label; }
  [[nodiscard]] BodyMode body_mode() const override { return mode; }
  [[nodiscard]] std::size_t body_max() const override { return max; }
  std::optional<Response> try_now(const Request& request, Context& context) override;
  Response handle(const Request& request, Context& context) override;
  Opened open(const Request& request, Context& context) override;
};

/// Routes by exact path; everything else is 404.
class FunctionApplication final : public Application {
 public:
  FunctionApplication();
  /// To be filled before the server starts.
  FunctionEndpoint& operator[](const std::string& path);
  Endpoint& route(const Request& request, RouteParameters& parameters) override;
  Response refuse(int status, std::string_view path, std::string_view reason) override;

 private:
  std::map<std::string, FunctionEndpoint, std::less<>> endpoints_;
  FunctionEndpoint missing_;
};

/// A Completed that owns its text.
struct Record {
  std::string request_id, client_address, method, target, endpoint, user_agent, identity;
  int status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  bool aborted = false;
};

class RecordingObserver final : public Observer {
 public:
  void completed(const Completed& request) override;
  /// Waits (20 s at most) until `count` requests have completed, and returns all so far.
  std::vector<Record> wait(std::size_t count);

 private:
  Guarded<std::vector<Record>> records_;
  std::condition_variable changed_;
};

/// A server on a free loopback port with everything it needs.
class TestServer {
 public:
  /// Add endpoints to `application` and change `options` and `pool_options`, then start().
  TestServer();
  ~TestServer();
  void start();
  void stop();
  /// Adds a TLS listener at the front, with a certificate of its own.
  void listen_tls();
  /// Puts another certificate where the first one is.
  void install_certificate(std::string_view common_name);
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::uint16_t port() const { return server->ports().front(); }

  FunctionApplication application;
  RecordingObserver observer;
  ServerOptions options;
  sys::ThreadPool::Options pool_options{"test", 4, 64};
  std::unique_ptr<sys::ThreadPool> pool;
  std::unique_ptr<Server> server;

 private:
  std::filesystem::path folder_;  ///< Of the certificate; empty without.
  int null_ = -1;
  SystemClock clock_;
  std::unique_ptr<log::Sink> sink_;
};

}  // namespace roadstead::http::testing
