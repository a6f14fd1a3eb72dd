#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "http/message.h"

namespace roadstead::http {

/// Takes a request body piece by piece on the worker pool; calls come one after another, on
/// changing threads. Destruction without finish() means that the client went away or the server
/// stops: keep or discard, but clean up.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// One filled buffer. An answer ends the request early (the rest of the body is not read and the
  /// connection is closed).
  virtual std::optional<Response> write(std::span<const std::byte> bytes) = 0;
  /// The body is complete.
  virtual Response finish() = 0;
};

enum class BodyMode {
  kNone,      ///< A body is refused with 400 unless it is empty.
  kBuffered,  ///< handle() runs once the whole body (at most body_max()) was read; more is 413.
  kStreamed,  ///< open() runs after the header, then the body goes into the sink.
};

/// What answers one kind of request. Stateless and shared: called from many threads at once.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  /// Bounded label for metrics and the access log: "GET /v2/{name}/manifests/{reference}".
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual BodyMode body_mode() const { return BodyMode::kNone; }
  [[nodiscard]] virtual std::size_t body_max() const { return 0; }

  /// Runs on the I/O thread before anything is handed to the pool: answers what needs no waiting
  /// (an indexed read of the embedded database, a 304), or nothing. Must not block. Streamed
  /// endpoints are asked only when the request has no body.
  virtual std::optional<Response> try_now(const Request& request, Context& context);
  /// Runs on the worker pool and may block until context.deadline. Called when try_now() gave
  /// nothing, and instead of it when the I/O thread is late; the default calls try_now(), for
  /// endpoints that always answer in place.
  virtual Response handle(const Request& request, Context& context);
  /// Streamed endpoints only, on the worker pool: authorises and opens, or answers without reading
  /// the body.
  virtual std::variant<Response, std::unique_ptr<BodySink>> open(const Request& request,
                                                                 Context& context);
};

/// The program behind the edge.
class Application {
 public:
  virtual ~Application() = default;
  /// Chooses from method and path alone, and fills `parameters`. Never fails: unknown paths have an
  /// endpoint too. Runs on the I/O thread.
  virtual Endpoint& route(const Request& request, RouteParameters& parameters) = 0;
  /// The answer to a request that the edge itself refuses: bad syntax 400, slow 408, too large
  /// 413/414/431, range 416, expectation 417, a handler that threw 500, coding 501, saturated 503,
  /// version 505. `path` is empty when it could not be read. Runs on the I/O thread. The edge adds
  /// Retry-After to a 503 that has none, and Content-Range to a 416.
  virtual Response refuse(int status, std::string_view path, std::string_view reason) = 0;
};

/// What one finished request looked like. Views live for the call.
struct Completed {
  std::string_view request_id;
  std::string_view client_address;
  std::string_view method;
  std::string_view target;
  std::string_view endpoint;  ///< Endpoint::name(), or "" when refused by the edge.
  std::string_view user_agent;
  std::string_view identity;
  int status = 0;
  std::uint64_t bytes_in = 0;   ///< Body bytes read.
  std::uint64_t bytes_out = 0;  ///< Body bytes sent.
  std::chrono::nanoseconds duration{};
  bool aborted = false;  ///< The client went away before the answer was sent whole.
};

/// Access log and metrics. Called on I/O threads: must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void completed(const Completed& request) = 0;
};

}  // namespace roadstead::http
