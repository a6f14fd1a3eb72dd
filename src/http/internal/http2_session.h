#pragma once

#include <memory>

#include <nghttp2/nghttp2.h>

#include "http/server.h"

namespace roadstead::http {

class Http2Connection;

struct Http2SessionDelete {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};
using Http2Session = std::unique_ptr<nghttp2_session, Http2SessionDelete>;

/// Windows of a connection and of a stream whose body nobody has asked for yet: what a client may
/// send before it is read. The connection's window limits speed only: its bytes are taken at once.
inline constexpr std::int32_t kHttp2ConnectionWindow = 4 << 20;
inline constexpr std::int32_t kHttp2StreamWindow = 65'535;

/// The server's end of a connection: turns bytes into calls of `connection` and its streams, with
/// our settings queued as the first thing to send. Null when memory is out.
Http2Session open_http2_session(Http2Connection& connection, const Limits& limits);

}  // namespace roadstead::http
