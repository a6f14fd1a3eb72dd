#include "storage/internal/s3_transport.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <curl/curl.h>
#include <fmt/format.h>

#include "base/check.h"
#include "base/guarded.h"
#include "base/text.h"

namespace roadstead::storage::internal {
namespace {

/// Connections kept without a request; more are closed when theirs ends.
constexpr std::size_t kIdleMax = 64;
/// What is read at once; less stays in the processor's cache until it is copied to where it is
/// wanted.
constexpr long kReceiveBuffer = 128L << 10U;
constexpr long kSendBuffer = 512L << 10U;
constexpr int kPollMilliseconds = 1'000;
constexpr std::size_t kHeadersMax = 64U << 10U;

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// libcurl keeps the connections of a multi handle. One transfer at a time runs in it.
struct Connection {
  std::unique_ptr<CURLM, MultiDeleter> multi{curl_multi_init()};
  std::unique_ptr<CURL, EasyDeleter> easy{curl_easy_init()};
};

void initialise() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(done == CURLE_OK);
}

Error broken(std::string_view why) {
  return Error{Code::kUnavailable,
               Subject::kStorage,
               "the object store did not answer: " + std::string(why),
               {}};
}

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : found->second;
}

struct HttpPool::State {
  Guarded<std::vector<std::unique_ptr<Connection>>> idle;

  std::unique_ptr<Connection> take() {
    auto known = idle.with([](auto& connections) -> std::unique_ptr<Connection> {
      if (connections.empty()) {
        return nullptr;
      }
      auto last = std::move(connections.back());
      connections.pop_back();
      return last;
    });
    return known != nullptr ? std::move(known) : std::make_unique<Connection>();
  }
  void give_back(std::unique_ptr<Connection> connection) {
    idle.with([&](auto& connections) {
      if (connections.size() < kIdleMax) {
        connections.push_back(std::move(connection));
      }
    });
  }
};

HttpPool::HttpPool() : state_((initialise(), std::make_unique<State>())) {}
HttpPool::~HttpPool() = default;

struct HttpExchange::State {
  State(HttpPool::State& shared, HttpRequest to_send) : pool(shared), request(std::move(to_send)) {}

  HttpPool::State& pool;
  HttpRequest request;
  std::unique_ptr<Connection> connection;
  std::unique_ptr<curl_slist, ListDeleter> headers;
  HttpAnswer answer;
  std::size_t header_bytes = 0;
  bool interim = false;
  bool head_done = false;
  bool ended = false;
  CURLcode code = CURLE_OK;
  std::uint64_t body_offset = 0;
  std::uint64_t sent = 0;
  // What is read goes to `target`. `ahead` takes what libcurl hands over at once (16 KiB) and finds
  // no room there.
  std::span<std::byte> target;
  std::size_t filled = 0;
  std::string ahead;
  std::size_t ahead_taken = 0;
  bool paused = false;

  void start();
  void set_options(CURL* easy);
  void set_body(CURL* easy);
  template <typename Ready>
  Result<void> drive(const Ready& ready);
  void take_ahead();
  std::size_t on_body(std::string_view bytes);
  std::size_t on_header(std::string_view line);

  static std::size_t write_callback(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<State*>(self)->on_body({data, size * count});
  }
  static std::size_t header_callback(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<State*>(self)->on_header({data, size * count});
  }
  static std::size_t read_callback(char* data, std::size_t size, std::size_t count, void* self) {
    auto& state = *static_cast<State*>(self);
    const auto got = state.request.body(state.body_offset,
                                        std::as_writable_bytes(std::span(data, size * count)));
    if (!got) {
      return CURL_READFUNC_ABORT;
    }
    state.body_offset += *got;
    state.sent += *got;
    return *got;
  }
  static int seek_callback(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) {
      return CURL_SEEKFUNC_CANTSEEK;
    }
    static_cast<State*>(self)->body_offset = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }
};

std::size_t HttpExchange::State::on_header(std::string_view line) {
  const std::size_t whole = line.size();
  header_bytes += whole;
  if (header_bytes > kHeadersMax) {
    return 0;  // Ends the transfer.
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) {
    line.remove_suffix(1);
  }
  if (line.starts_with("HTTP/")) {
    answer.headers.clear();  // Those of an interim answer, or of a proxy.
    const std::size_t blank = std::min(line.find(' '), line.size());
    interim = line.substr(blank).starts_with(" 1");
  } else if (line.empty()) {
    head_done = !interim;
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    answer.headers.insert_or_assign(to_lower(line.substr(0, colon)),
                                    std::string(trim(line.substr(colon + 1))));
  }
  return whole;
}

std::size_t HttpExchange::State::on_body(std::string_view bytes) {
  const std::size_t room = target.size() - filled;
  if (room == 0 && head_done) {
    paused = true;  // Further bytes wait in the socket.
    return CURL_WRITEFUNC_PAUSE;
  }
  const std::size_t direct = std::min(room, bytes.size());
  std::memcpy(target.data() + filled, bytes.data(), direct);
  filled += direct;
  ahead.append(bytes.substr(direct));
  return bytes.size();
}

void HttpExchange::State::set_options(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.connect_time.count()));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, static_cast<long>(request.silence_max.count() / 1000)));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_max.count()));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kSendBuffer);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  if (!request.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  }
  if (request.direct) {
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &State::write_callback);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &State::header_callback);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
}

void HttpExchange::State::set_body(CURL* easy) {
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.body || request.method == "PUT" || request.method == "POST") {
    if (!request.body) {
      request.body = [](std::uint64_t, std::span<std::byte>) { return Result<std::size_t>(0U); };
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_size));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &State::read_callback);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &State::seek_callback);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void HttpExchange::State::start() {
  connection = pool.take();
  CURL* const easy = connection->easy.get();
  set_options(easy);
  set_body(easy);
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    // "name;" is how libcurl writes a header without a value.
    const std::string line =
        value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value);
    list = curl_slist_append(list, line.c_str());
  }
  // Waiting for 100-continue costs a round trip, and a second where a store does not know it.
  list = curl_slist_append(list, "Expect:");
  headers.reset(list);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
  CHECK(curl_multi_add_handle(connection->multi.get(), easy) == CURLM_OK);
}

template <typename Ready>
Result<void> HttpExchange::State::drive(const Ready& ready) {
  CURLM* const multi = connection->multi.get();
  while (!ready() && !ended) {
    int running = 0;
    CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) {
        ended = true;
        code = message->data.result;
      }
    }
    if (ready() || ended) {
      break;
    }
    CHECK(curl_multi_poll(multi, nullptr, 0, kPollMilliseconds, nullptr) == CURLM_OK);
  }
  if (ended && code != CURLE_OK && !ready()) {
    return broken(curl_easy_strerror(code));
  }
  return {};
}

void HttpExchange::State::take_ahead() {
  const std::size_t n = std::min(target.size() - filled, ahead.size() - ahead_taken);
  std::memcpy(target.data() + filled, ahead.data() + ahead_taken, n);
  filled += n;
  ahead_taken += n;
  if (ahead_taken == ahead.size()) {
    ahead.clear();
    ahead_taken = 0;
  }
}

HttpExchange::HttpExchange(HttpPool& pool, HttpRequest request)
    : state_(std::make_unique<State>(*pool.state_, std::move(request))) {}

HttpExchange::~HttpExchange() {
  if (state_->connection != nullptr) {
    CURL* const easy = state_->connection->easy.get();
    if (state_->head_done && !state_->ended && !state_->paused) {
      // When all of it has come, this is where it ends, and the connection can be kept.
      int running = 0;
      curl_multi_perform(state_->connection->multi.get(), &running);
    }
    curl_multi_remove_handle(state_->connection->multi.get(), easy);
    curl_easy_reset(easy);
    state_->pool.give_back(std::move(state_->connection));
  }
}

Result<void> HttpExchange::head() {
  state_->start();
  TRY(state_->drive([&] { return state_->head_done; }));
  long status = 0;
  curl_easy_getinfo(state_->connection->easy.get(), CURLINFO_RESPONSE_CODE, &status);
  state_->answer.status = static_cast<int>(status);
  if (status == 0) {
    return broken("no answer");
  }
  return {};
}

const HttpAnswer& HttpExchange::answer() const {
  return state_->answer;
}

std::uint64_t HttpExchange::sent_bytes() const {
  return state_->sent;
}

Result<std::size_t> HttpExchange::read(std::span<std::byte> into) {
  State& state = *state_;
  state.target = into;
  state.filled = 0;
  state.take_ahead();
  const auto full = [&] { return state.filled == into.size(); };
  if (!full() && state.paused) {
    state.paused = false;
    curl_easy_pause(state.connection->easy.get(), CURLPAUSE_CONT);
    state.take_ahead();
  }
  const auto driven = state.drive(full);
  state.take_ahead();
  const std::size_t n = state.filled;
  state.target = {};
  state.filled = 0;
  TRY(driven);
  return n;
}

Result<std::string> HttpExchange::read_all(std::size_t size_max) {
  std::string body;
  std::string piece(std::size_t{64} << 10U, '\0');
  for (;;) {
    const std::size_t n = TRY(read(std::as_writable_bytes(std::span(piece))));
    body.append(piece, 0, n);
    if (body.size() > size_max) {
      return Error{Code::kTooLarge,
                   Subject::kStorage,
                   "an answer of the object store is larger than it may be",
                   {}};
    }
    if (n < piece.size()) {
      return body;
    }
  }
}

Result<HttpAnswer> fetch(HttpPool& pool, HttpRequest request, std::size_t size_max) {
  HttpExchange exchange(pool, std::move(request));
  TRY(exchange.head());
  HttpAnswer answer = exchange.answer();
  answer.body = TRY(exchange.read_all(size_max));
  return answer;
}

}  // namespace roadstead::storage::internal
