#include "http/internal/http2_session.h"

#include <array>
#include <string_view>

#include "http/internal/http2_connection.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kUnsentAcknowledgementsMax = 100;
constexpr std::size_t kSettingsPerFrameMax = 32;
// The size of a DATA frame that we send: one TLS record, less what frames it.
constexpr ssize_t kDataFrameBytes = 16'384;

Http2Connection& connection_of(void* user_data) {
  return *static_cast<Http2Connection*>(user_data);
}

/// Null for streams that were refused before they became one of ours.
Http2Stream* stream_of(nghttp2_session* session, std::int32_t id) {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

bool ends_stream(const nghttp2_frame_hd& head) {
  return (head.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
         (head.type == NGHTTP2_DATA || head.type == NGHTTP2_HEADERS);
}

bool begins_request(const nghttp2_frame& frame) {
  return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
}

int on_begin_frame(nghttp2_session* /*session*/, const nghttp2_frame_hd* head, void* user_data) {
  connection_of(user_data).on_frame(head->type, head->length, ends_stream(*head));
  return 0;
}

int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  if (begins_request(*frame)) {
    Http2Stream* const stream = connection_of(user_data).open_stream(frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
  }
  return 0;
}

/// Trailers are read and forgotten, as in HTTP/1.1.
int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
              std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
              std::uint8_t /*flags*/, void* user_data) {
  if (begins_request(*frame) && stream_of(session, frame->hd.stream_id) != nullptr) {
    connection_of(user_data).head().add(text_of(name, name_size), text_of(value, value_size));
  }
  return 0;
}

/// The session would ignore such a field; others might not.
int on_invalid_header(nghttp2_session* session, const nghttp2_frame* frame,
                      const std::uint8_t* /*name*/, std::size_t /*name_size*/,
                      const std::uint8_t* /*value*/, std::size_t /*value_size*/,
                      std::uint8_t /*flags*/, void* user_data) {
  if (begins_request(*frame) && stream_of(session, frame->hd.stream_id) != nullptr) {
    connection_of(user_data).head().refuse(400, "malformed header field");
  }
  return 0;
}

int on_frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  Http2Connection& connection = connection_of(user_data);
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    connection.on_reset();
    return 0;
  }
  const bool request = begins_request(*frame);
  if (request) {
    connection.on_head_complete();
  }
  Http2Stream* const stream = stream_of(session, frame->hd.stream_id);
  if (stream == nullptr) {
    return 0;
  }
  if (request) {
    stream->on_head(ends_stream(frame->hd));
  } else if (ends_stream(frame->hd)) {
    stream->on_end();
  }
  return 0;
}

int on_invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int /*error*/,
                     void* user_data) {
  if (begins_request(*frame)) {
    connection_of(user_data).on_head_complete();
    if (Http2Stream* const stream = stream_of(session, frame->hd.stream_id)) {
      stream->on_malformed();
    }
  }
  return 0;
}

int on_data_chunk(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id,
                  const std::uint8_t* data, std::size_t size, void* /*user_data*/) {
  if (Http2Stream* const stream = stream_of(session, id)) {
    stream->on_data(text_of(data, size));
  } else {
    nghttp2_session_consume_connection(session, size);
  }
  return 0;
}

int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t /*error*/,
                    void* user_data) {
  if (Http2Stream* const stream = stream_of(session, id)) {
    connection_of(user_data).on_stream_closed(*stream);
  }
  return 0;
}

int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
      connection_of(user_data).on_reset();
    }
  } else if (ends_stream(frame->hd)) {
    if (Http2Stream* const stream = stream_of(session, frame->hd.stream_id)) {
      stream->on_answer_sent();
    }
  }
  return 0;
}

int send_data(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* frame_head,
              std::size_t length, nghttp2_data_source* /*source*/, void* user_data) {
  constexpr std::size_t kFrameHeadBytes = 9;
  Http2Connection& connection = connection_of(user_data);
  if (!connection.has_room_for_frame()) {
    return NGHTTP2_ERR_WOULDBLOCK;
  }
  Http2Stream* const stream = stream_of(session, frame->hd.stream_id);
  if (stream == nullptr ||
      !connection.put_data(text_of(frame_head, kFrameHeadBytes), *stream, length)) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  return 0;
}

ssize_t data_frame_bytes(nghttp2_session* /*session*/, std::uint8_t /*type*/, std::int32_t /*id*/,
                         std::int32_t /*connection_window*/, std::int32_t /*stream_window*/,
                         std::uint32_t /*frame_bytes_max*/, void* /*user_data*/) {
  return kDataFrameBytes;
}

struct CallbacksDelete {
  void operator()(nghttp2_session_callbacks* table) const { nghttp2_session_callbacks_del(table); }
};
using Callbacks = std::unique_ptr<nghttp2_session_callbacks, CallbacksDelete>;

struct OptionsDelete {
  void operator()(nghttp2_option* options) const { nghttp2_option_del(options); }
};
using Options = std::unique_ptr<nghttp2_option, OptionsDelete>;

Callbacks make_callbacks() {
  nghttp2_session_callbacks* table = nullptr;
  if (nghttp2_session_callbacks_new(&table) != 0) {
    return nullptr;
  }
  nghttp2_session_callbacks_set_on_begin_frame_callback(table, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(table, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(table, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame_received);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, on_invalid_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(table, on_frame_sent);
  nghttp2_session_callbacks_set_send_data_callback(table, send_data);
  nghttp2_session_callbacks_set_data_source_read_length_callback(table, data_frame_bytes);
  return Callbacks(table);
}

Options make_options() {
  nghttp2_option* options = nullptr;
  if (nghttp2_option_new(&options) != 0) {
    return nullptr;
  }
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_outbound_ack(options, kUnsentAcknowledgementsMax);
  nghttp2_option_set_max_settings(options, kSettingsPerFrameMax);
  return Options(options);
}

/// Streams share a connection in equal parts, whatever a client says about priorities.
bool submit_settings(nghttp2_session* session, const Limits& limits) {
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
        static_cast<std::uint32_t>(limits.streams_per_connection_max)},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes_max)},
       {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}}};
  return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) ==
             0 &&
         nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                               kHttp2ConnectionWindow) == 0;
}

}  // namespace

Http2Session open_http2_session(Http2Connection& connection, const Limits& limits) {
  const Callbacks callbacks = make_callbacks();
  const Options options = make_options();
  nghttp2_session* session = nullptr;
  if (!callbacks || !options ||
      nghttp2_session_server_new2(&session, callbacks.get(), &connection, options.get()) != 0) {
    return nullptr;
  }
  Http2Session opened(session);
  return submit_settings(session, limits) ? std::move(opened) : nullptr;
}

}  // namespace roadstead::http
