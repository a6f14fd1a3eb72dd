#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/testing/client.h"

namespace roadstead::http::testing {

/// What became of one stream.
struct Http2Answer {
  int status = 0;  ///< 0: none came.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  int interim = 0;          ///< 1xx answers before it.
  bool ended = false;       ///< The answer came whole.
  bool closed = false;      ///< The stream is over.
  std::uint32_t error = 0;  ///< Of the RST_STREAM that ended it, if one did.

  [[nodiscard]] std::string header(std::string_view name) const;
};

/// A blocking HTTP/2 client over TLS, on loopback, that does not check what it sends: tests may ask
/// it for malformed requests. Reads give up after 20 s.
class Http2Client {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  struct Options {
    std::int32_t window = 0;    ///< Of our streams; 0: the protocol's default.
    bool reads_slowly = false;  ///< Acknowledges nothing, so the server has to stop.
  };

  explicit Http2Client(std::uint16_t port) : Http2Client(port, Options()) {}
  Http2Client(std::uint16_t port, Options options);
  ~Http2Client();

  [[nodiscard]] bool connected() const;
  /// Sends a request; with a body behind it unless that is to follow. Returns the stream's id.
  std::int32_t begin(std::string_view method, std::string_view path, const Fields& fields = {},
                     std::string_view body = {});
  /// As begin(), with exactly these fields. `ends`: no body.
  std::int32_t begin_raw(const Fields& fields, bool ends = true);
  /// As begin(), and the body stays open for more.
  std::int32_t begin_open(std::string_view method, std::string_view path,
                          const Fields& fields = {});
  void append(std::int32_t id, std::string_view bytes, bool last = false);
  void reset(std::int32_t id, std::uint32_t error);

  /// Sends what waits and reads until the stream is over or the connection ends.
  const Http2Answer& wait(std::int32_t id);
  /// As wait(), until its header, or an interim one, is here.
  const Http2Answer& wait_for_head(std::int32_t id);
  Http2Answer fetch(std::string_view method, std::string_view path, const Fields& fields = {},
                    std::string_view body = {});
  /// Sends what waits and may be sent now.
  void flush();
  /// Reads once. False when the server ended the connection.
  bool read();
  /// Reads until the server ends the connection.
  void read_all();

  /// Bytes behind what was flushed: whole frames or parts of them.
  bool send(std::string_view bytes);
  static std::string frame(std::uint8_t type, std::uint8_t flags, std::int32_t id,
                           std::string_view payload);

  [[nodiscard]] const Http2Answer& answer(std::int32_t id) const;
  /// Body bytes of a stream that the server's windows have let through so far.
  [[nodiscard]] std::size_t sent(std::int32_t id) const;
  [[nodiscard]] bool told_to_go_away() const;
  [[nodiscard]] std::uint32_t go_away_error() const;
  Client& socket();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::http::testing
