#include "http/testing/http2_client.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include <nghttp2/nghttp2.h>

#include "base/text.h"

namespace roadstead::http::testing {
namespace {

struct Sending {
  std::string bytes;
  std::size_t sent = 0;
  bool last = true;
  bool deferred = false;
};

std::uint8_t* bytes_of(const std::string& text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

Http2Client::Fields request_fields(std::string_view method, std::string_view path,
                                   const Http2Client::Fields& more) {
  Http2Client::Fields fields{{":method", std::string(method)},
                             {":scheme", "https"},
                             {":authority", "test"},
                             {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

}  // namespace

struct Http2Client::State {
  explicit State(std::uint16_t port) : socket(port, true, "127.0.0.1", "h2") {}
  ~State() { nghttp2_session_del(session); }

  Client socket;
  nghttp2_session* session = nullptr;
  std::map<std::int32_t, Http2Answer> answers;
  std::map<std::int32_t, Sending> bodies;
  std::optional<std::uint32_t> go_away;
  bool ended = false;

  static State& of(void* user_data) { return *static_cast<State*>(user_data); }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                       const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t /*flags*/, void* user_data) {
    Http2Answer& answer = of(user_data).answers[frame->hd.stream_id];
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key != ":status") {
      answer.headers.emplace_back(key, text);
    } else if (text[0] == '1') {
      ++answer.interim;
    } else {
      answer.status = static_cast<int>(parse_uint64(text).value_or(0));
    }
    return 0;
  }
  static int on_data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void* user_data) {
    of(user_data).answers[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int on_frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user_data) {
    State& state = of(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      state.go_away = frame->goaway.error_code;
    } else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      state.answers[frame->hd.stream_id].ended = true;
    }
    return 0;
  }
  static int on_close(nghttp2_session* /*session*/, std::int32_t id, std::uint32_t error,
                      void* user_data) {
    Http2Answer& answer = of(user_data).answers[id];
    answer.closed = true;
    answer.error = error;
    return 0;
  }
  static ssize_t read_body(nghttp2_session* /*session*/, std::int32_t id, std::uint8_t* into,
                           std::size_t length, std::uint32_t* flags,
                           nghttp2_data_source* /*source*/, void* user_data) {
    Sending& body = of(user_data).bodies[id];
    const std::size_t size = std::min(length, body.bytes.size() - body.sent);
    if (size == 0 && !body.last) {
      body.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    std::memcpy(into, body.bytes.data() + body.sent, size);
    body.sent += size;
    if (body.last && body.sent == body.bytes.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(size);
  }

  void open(const Options& options) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_no_auto_window_update(option, options.reads_slowly ? 1 : 0);
    nghttp2_option_set_peer_max_concurrent_streams(option, 1'000'000);
    nghttp2_session_client_new2(&session, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                        static_cast<std::uint32_t>(options.window)};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &window, options.window > 0 ? 1 : 0);
  }

  std::int32_t submit(const Fields& fields, bool has_body, Sending body) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back(
          {bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_data_provider provider{};
    provider.read_callback = read_body;
    const std::int32_t id = nghttp2_submit_request(session, nullptr, list.data(), list.size(),
                                                   has_body ? &provider : nullptr, nullptr);
    bodies[id] = std::move(body);
    answers[id];
    return id;
  }
};

std::string Http2Answer::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& field) {
    return equals_ignoring_case(field.first, name);
  });
  return found == headers.end() ? std::string() : found->second;
}

Http2Client::Http2Client(std::uint16_t port, Options options)
    : state_(std::make_unique<State>(port)) {
  state_->open(options);
  flush();
}

Http2Client::~Http2Client() = default;

bool Http2Client::connected() const {
  return state_->socket.connected() && state_->socket.protocol() == "h2";
}

std::int32_t Http2Client::begin(std::string_view method, std::string_view path,
                                const Fields& fields, std::string_view body) {
  Fields all = request_fields(method, path, fields);
  if (!body.empty()) {
    all.emplace_back("content-length", std::to_string(body.size()));
  }
  return state_->submit(all, !body.empty(), {std::string(body), 0, true, false});
}

std::int32_t Http2Client::begin_raw(const Fields& fields, bool ends) {
  return state_->submit(fields, !ends, {{}, 0, false, false});
}

std::int32_t Http2Client::begin_open(std::string_view method, std::string_view path,
                                     const Fields& fields) {
  return state_->submit(request_fields(method, path, fields), true, {{}, 0, false, false});
}

void Http2Client::append(std::int32_t id, std::string_view bytes, bool last) {
  Sending& body = state_->bodies[id];
  body.bytes.append(bytes);
  body.last = last;
  if (std::exchange(body.deferred, false)) {
    nghttp2_session_resume_data(state_->session, id);
  }
  flush();
}

void Http2Client::reset(std::int32_t id, std::uint32_t error) {
  nghttp2_submit_rst_stream(state_->session, NGHTTP2_FLAG_NONE, id, error);
  flush();
}

void Http2Client::flush() {
  const std::uint8_t* bytes = nullptr;
  std::string all;
  while (!state_->ended) {
    const ssize_t size = nghttp2_session_mem_send(state_->session, &bytes);
    if (size <= 0) {
      break;
    }
    all.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    if (all.size() > 100'000) {
      state_->socket.send(std::exchange(all, {}));
    }
  }
  if (!all.empty()) {
    state_->socket.send(all);
  }
}

bool Http2Client::read() {
  const auto bytes = state_->ended ? std::nullopt : state_->socket.read_some();
  if (!bytes || nghttp2_session_mem_recv(state_->session,
                                         reinterpret_cast<const std::uint8_t*>(bytes->data()),
                                         bytes->size()) < 0) {
    state_->ended = true;
  }
  return !state_->ended;
}

void Http2Client::read_all() {
  while (read()) {
    flush();
  }
}

const Http2Answer& Http2Client::wait(std::int32_t id) {
  flush();
  while (!state_->answers[id].closed && read()) {
    flush();
  }
  return state_->answers[id];
}

const Http2Answer& Http2Client::wait_for_head(std::int32_t id) {
  flush();
  const Http2Answer& answer = state_->answers[id];
  while (!answer.closed && answer.status == 0 && answer.interim == 0 && read()) {
    flush();
  }
  return answer;
}

Http2Answer Http2Client::fetch(std::string_view method, std::string_view path, const Fields& fields,
                               std::string_view body) {
  return wait(begin(method, path, fields, body));
}

bool Http2Client::send(std::string_view bytes) {
  return state_->socket.send(bytes);
}

std::string Http2Client::frame(std::uint8_t type, std::uint8_t flags, std::int32_t id,
                               std::string_view payload) {
  std::string text;
  const auto put = [&](std::uint64_t value, int octets) {
    for (int i = octets - 1; i >= 0; --i) {
      text.push_back(static_cast<char>((value >> (8U * static_cast<unsigned>(i))) & 0xFFU));
    }
  };
  put(payload.size(), 3);
  put(type, 1);
  put(flags, 1);
  put(static_cast<std::uint64_t>(id), 4);
  return text.append(payload);
}

const Http2Answer& Http2Client::answer(std::int32_t id) const {
  return state_->answers[id];
}

std::size_t Http2Client::sent(std::int32_t id) const {
  return state_->bodies[id].sent;
}

bool Http2Client::told_to_go_away() const {
  return state_->go_away.has_value();
}

std::uint32_t Http2Client::go_away_error() const {
  return state_->go_away.value_or(0);
}

Client& Http2Client::socket() {
  return state_->socket;
}

}  // namespace roadstead::http::testing
