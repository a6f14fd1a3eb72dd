#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "sys/file.h"

namespace roadstead::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
std::string_view to_string(Method method);

struct HeaderField {
  std::string_view name;
  std::string_view value;  ///< Without surrounding blanks.
};

/// A request as the edge read it. Everything is a view into the connection's buffer and lives until
/// the response was handed back. Already checked by the edge (RFC 9112): one Host, one length, no
/// smuggling, no control characters in target or values.
struct Request {
  Method method = Method::kGet;
  std::string_view method_name;  ///< As sent; tells which one kOther is.
  std::string_view target;       ///< As sent, origin form.
  std::string_view path;         ///< Up to '?', percent-encoding untouched.
  std::string_view query;        ///< After '?', may be empty.
  std::span<const HeaderField> headers;
  std::optional<std::uint64_t> content_length;  ///< Absent when chunked or without body.
  bool has_body = false;
  std::string_view body;  ///< The whole body of a buffered endpoint; empty for others.

  /// The client after trusted proxies were resolved (X-Forwarded-For), the scheme and the authority
  /// it used.
  std::string_view client_address;
  std::string_view scheme;  ///< "http" or "https"
  std::string_view host;    ///< host[:port]

  /// Value of the first field of this name (any case), or nothing.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

/// Where the parts that routing found in the path are handed to the endpoint; views into
/// Request::path.
struct RouteParameters {
  std::array<std::string_view, 8> values{};
  std::size_t count = 0;
  [[nodiscard]] std::string_view operator[](std::size_t i) const { return values.at(i); }
  void push(std::string_view value) { values.at(count++) = value; }
};

/// What surrounds one request. The endpoint fills `identity` for the access log.
struct Context {
  std::string_view request_id;
  std::chrono::steady_clock::time_point deadline;  ///< Statements and waits end by then.
  log::Logger logger;
  RouteParameters parameters;
  std::string identity;  ///< "user:alice", "anonymous", …; never a secret.
};

/// Bytes [offset, offset + length) of a file, sent with sendfile.
struct FileRegion {
  std::shared_ptr<const sys::File> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// A body that is pulled while it is sent. Used by one thread at a time, on the worker pool.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Total number of bytes; known before the first is sent.
  [[nodiscard]] virtual std::uint64_t length() const = 0;
  /// Fills `into` from `offset`; fewer bytes than asked only at the end. An error closes the
  /// connection.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) = 0;
};

/// An answer. The edge adds Date, Content-Length, Connection and X-Request-Id; for HEAD it sends
/// the headers only; for 200 with `etag` it answers If-None-Match with 304; for 200 with `ranges`
/// it serves a single Range (If-Range respected) with 206 or 416.
class Response {
 public:
  explicit Response(int status = 200) : status_(status) {}

  /// CR, LF or NUL in `value` break a CHECK: values come from validated types or are made by us.
  Response& add_header(std::string_view name, std::string_view value);
  Response& set_body(std::string bytes, std::string_view content_type);
  Response& set_body(FileRegion region, std::string_view content_type);
  Response& set_body(std::unique_ptr<BodySource> source, std::string_view content_type);
  /// For HEAD: the length that GET would have, without a body.
  Response& set_length_only(std::uint64_t length, std::string_view content_type);
  /// `etag` with its quotes.
  Response& set_etag(std::string_view etag);
  Response& allow_ranges();
  /// Sends this answer and closes the connection.
  Response& close_connection();

  [[nodiscard]] int status() const { return status_; }
  /// "Name: value\r\n" lines, in order.
  [[nodiscard]] const std::string& header_block() const { return headers_; }
  /// First header of this name, for tests and wrappers.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;

  using Body = std::variant<std::monostate, std::string, FileRegion, std::unique_ptr<BodySource>>;
  [[nodiscard]] Body& body() { return body_; }
  [[nodiscard]] const Body& body() const { return body_; }
  /// Length of the representation: of the body, or as given to set_length_only().
  [[nodiscard]] std::uint64_t content_length() const;
  [[nodiscard]] const std::string& etag() const { return etag_; }
  [[nodiscard]] bool ranges_allowed() const { return ranges_; }
  [[nodiscard]] bool closes_connection() const { return close_; }

 private:
  int status_;
  std::string headers_;
  Body body_;
  std::string etag_;
  std::optional<std::uint64_t> length_only_;
  bool ranges_ = false;
  bool close_ = false;
};

}  // namespace roadstead::http
