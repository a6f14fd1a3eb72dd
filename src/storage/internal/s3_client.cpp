#include "storage/internal/s3_client.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "sys/process.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::chrono::milliseconds kPauseMax{10'000};
/// For putting together thousands of parts.
constexpr std::chrono::milliseconds kPatience{600'000};
/// A store that answers 200 may still say within what it sends that it failed.
constexpr std::string_view kErrorRoot = "<Error";

bool is_credential_error(std::string_view code) {
  return code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired" ||
         code == "InvalidAccessKeyId";
}

struct Target {
  std::string origin;
  std::string host;
  std::string path;
};

Target target_of(const S3Options& options, const std::string& endpoint, const std::string& key) {
  const std::size_t host_at = endpoint.find("//") + 2;
  const std::string host = endpoint.substr(host_at);
  if (options.path_style) {
    return {endpoint, host, encode_path("/" + options.bucket + (key.empty() ? "" : "/" + key))};
  }
  const std::string with_bucket = options.bucket + "." + host;
  return {endpoint.substr(0, host_at) + with_bucket, with_bucket, encode_path("/" + key)};
}

/// Between a half and the whole of what was due: those who failed together come back apart.
std::chrono::milliseconds jittered(std::chrono::milliseconds due) {
  std::array<std::byte, 2> random{};
  sys::random_bytes(random);
  const auto number =
      (std::to_integer<unsigned>(random[0]) << 8U) | std::to_integer<unsigned>(random[1]);
  return due / 2 + due / 2 * number / 65'536;
}

}  // namespace

S3Body S3Body::of(std::string text) {
  S3Body body;
  body.size = text.size();
  body.read = [text = std::move(text)](std::uint64_t offset,
                                       std::span<std::byte> into) -> Result<std::size_t> {
    return text.copy(reinterpret_cast<char*>(into.data()), into.size(),
                     std::min<std::size_t>(offset, text.size()));
  };
  return body;
}

Error refused(const HttpAnswer& answer) {
  const std::string code = error_code(answer.body);
  return Error{answer.status == 404 ? Code::kNotFound : Code::kInternal, Subject::kStorage,
               fmt::format("the object store refused: {} {}", answer.status,
                           code.empty() ? "without a code" : code),
               code};
}

S3Client::S3Client(S3Options options)
    : options_(std::move(options)),
      credentials_(pool_, options_.environment, options_.region, clock_) {}

S3Client::~S3Client() {
  closing_.with([](bool& closing) { closing = true; });
  wake_.notify_all();
}

Time S3Client::now() const {
  return clock_.now() + std::chrono::microseconds(clock_offset_micros_.load());
}

void S3Client::learn_time(const HttpAnswer& answer) {
  if (const auto theirs = parse_http_date(answer.header("date"))) {
    clock_offset_micros_.store(to_micros(*theirs) - to_micros(clock_.now()));
  }
}

Result<HttpRequest> S3Client::signed_request(const S3Call& call,
                                             const S3Credentials& credentials) const {
  const Target target = target_of(options_, options_.endpoint, call.key);
  SignedRequest to_sign{call.method, target.host, target.path, call.query, call.headers};
  const bool unsigned_body = call.body.size > 0 && call.body.sha256.empty();
  static const std::string kEmpty = crypto::hex_digest(crypto::HashAlgorithm::kSha256, "");
  const std::string payload = unsigned_body          ? std::string(kUnsignedPayload)
                              : call.body.size == 0U ? kEmpty
                                                     : call.body.sha256;
  sign(to_sign, {options_.region}, credentials, now(), payload);
  HttpRequest request;
  request.method = call.method;
  const std::string query = canonical_query(call.query);
  request.url = target.origin + target.path + (query.empty() ? "" : "?" + query);
  request.headers = std::move(to_sign.headers);
  request.body = call.body.read;
  request.body_size = call.body.size;
  request.ca_file = options_.ca_file;
  request.silence_max =
      call.patient ? std::max(options_.silence_max, kPatience) : options_.silence_max;
  return request;
}

/// What to make of an attempt.
struct S3Client::Verdict {
  S3Outcome outcome = S3Outcome::kDone;
  bool again = false;
  bool other_credentials = false;
  bool other_clock = false;
};

S3Client::Verdict S3Client::judge(const S3Call& call, const Result<void>& ended,
                                  const HttpAnswer& answer) const {
  if (!ended) {
    return {S3Outcome::kBroken, ended.error().code == Code::kUnavailable};
  }
  if (answer.status < 300) {
    const bool hidden = call.operation == S3Operation::kMultipart &&
                        answer.body.find(kErrorRoot) != std::string::npos &&
                        !error_code(answer.body).empty();
    return hidden ? Verdict{S3Outcome::kServerError, true} : Verdict{};
  }
  const std::string code = error_code(answer.body);
  if (answer.status == 503 || answer.status == 429 || code == "SlowDown") {
    return {S3Outcome::kSlowDown, true};
  }
  if (answer.status >= 500) {
    return {S3Outcome::kServerError, answer.status != 501};
  }
  // 409 about an object is a race inside the store: OperationAborted, ConditionalRequestConflict,
  // and what gateways over file systems say when a directory comes or goes under a key.
  const bool again = answer.status == 408 || answer.status == 409 || code == "RequestTimeout";
  // An answer to HEAD does not say why.
  const bool mute = call.method == "HEAD" && (answer.status == 403 || answer.status == 400);
  return {S3Outcome::kRefused, again, mute || is_credential_error(code),
          code == "RequestTimeTooSkewed"};
}

void S3Client::pause(unsigned attempt, const HttpAnswer& answer) const {
  auto due = std::min(options_.retry_after * (1U << std::min(attempt, 10U)), kPauseMax);
  if (const auto wanted = parse_uint64(answer.header("retry-after"))) {
    due =
        std::max(due, std::min<std::chrono::milliseconds>(
                          std::chrono::seconds(std::min<std::uint64_t>(*wanted, 3600)), kPauseMax));
  }
  closing_.wait_for(wake_, jittered(due), [](bool closing) { return closing; }, [](bool) {});
}

/// The exchange whose header is read, its body only where it is an error's, whole or as the call's
/// operation wants it: those of kGet stay in the exchange.
Result<std::unique_ptr<HttpExchange>> S3Client::exchange(const S3Call& call, HttpAnswer& answer) {
  bool renewed = false;
  for (unsigned attempt = 0;; ++attempt) {
    const S3Credentials credentials = TRY(credentials_.get());
    HttpRequest request = TRY(signed_request(call, credentials));
    const auto begun = std::chrono::steady_clock::now();
    auto sent = std::make_unique<HttpExchange>(pool_, std::move(request));
    Result<void> ended = sent->head();
    answer = sent->answer();
    const auto took = std::chrono::steady_clock::now() - begun;
    if (ended && (call.operation != S3Operation::kGet || answer.status >= 300)) {
      auto body = sent->read_all(kXmlSizeMax);
      if (body) {
        answer.body = std::move(*body);
      } else {
        ended = body.error();
      }
    }
    const Verdict verdict = judge(call, ended, answer);
    if (options_.observer != nullptr) {
      options_.observer->attempted({call.operation, verdict.outcome, attempt > 0,
                                    sent->sent_bytes(), answer.body.size(),
                                    std::chrono::duration_cast<std::chrono::microseconds>(took)});
    }
    if ((verdict.other_credentials || verdict.other_clock) && !renewed) {
      renewed = true;
      verdict.other_clock ? learn_time(answer) : credentials_.forget(credentials);
      continue;
    }
    if (!verdict.again || attempt + 1 >= options_.attempts_max) {
      if (verdict.again && ended) {
        return Error{Code::kUnavailable,
                     Subject::kStorage,
                     "the object store is busy or failing: " + std::to_string(answer.status) + " " +
                         error_code(answer.body),
                     {}};
      }
      TRY(std::move(ended));
      return sent;
    }
    sent.reset();  // Its connection may serve somebody else meanwhile.
    pause(attempt, answer);
  }
}

Result<HttpAnswer> S3Client::call(const S3Call& call) {
  HttpAnswer answer;
  const auto ended = TRY(exchange(call, answer));
  static_cast<void>(ended);  // All of it was read.
  return answer;
}

Result<HttpAnswer> S3Client::demand(const S3Call& call) {
  HttpAnswer answer = TRY(this->call(call));
  if (answer.status != 200 && answer.status != 204) {
    return refused(answer);
  }
  return answer;
}

namespace {

/// "bytes 5-9/100"
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t size = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) {
    return std::nullopt;
  }
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) {
    return std::nullopt;
  }
  const auto first = parse_uint64(text.substr(0, dash));
  const auto last = parse_uint64(text.substr(dash + 1, slash - dash - 1));
  const auto size = parse_uint64(text.substr(slash + 1));
  if (!first || !last || !size || *first > *last || *last >= *size) {
    return std::nullopt;
  }
  return ContentRange{*first, *last, *size};
}

}  // namespace

Result<S3Stream> S3Client::read(const std::string& key, std::uint64_t offset,
                                std::uint64_t length) {
  S3Call call;
  call.key = key;
  if (length != kWholeObject) {
    call.headers = {{"range", fmt::format("bytes={}-{}", offset, offset + length - 1)}};
  }
  HttpAnswer answer;
  S3Stream stream{TRY(exchange(call, answer)), offset, 0, 0, std::string(answer.header("etag"))};
  stream.etag = answer.header("etag");
  if (answer.status == 206) {
    const auto range = parse_content_range(answer.header("content-range"));
    if (!range || range->first != offset || range->last - offset >= length) {
      return Error{Code::kUnavailable,
                   Subject::kStorage,
                   "the object store answered another range than it was asked for",
                   {}};
    }
    stream.length = range->last - range->first + 1;
    stream.size = range->size;
    return stream;
  }
  if (answer.status == 200 && offset == 0) {
    const auto size = parse_uint64(answer.header("content-length"));
    if (!size) {
      return Error{
          Code::kUnavailable, Subject::kStorage, "the object store answered without a length", {}};
    }
    stream.length = *size;
    stream.size = *size;
    return stream;
  }
  if (answer.status == 416) {
    return Error{Code::kRange, Subject::kStorage, "the object ends before", {}};
  }
  return refused(answer);
}

Result<std::string> S3Client::presigned_get(const std::string& key, const NamedValues& query,
                                            std::chrono::seconds lifetime) {
  const S3Credentials credentials = TRY(credentials_.get());
  const std::string& endpoint =
      options_.public_endpoint.empty() ? options_.endpoint : options_.public_endpoint;
  const Target target = target_of(options_, endpoint, key);
  const std::string signed_query = presign({"GET", target.host, target.path, query, {}},
                                           {options_.region}, credentials, now(), lifetime);
  return target.origin + target.path + "?" + signed_query;
}

void S3Client::count_received(std::uint64_t bytes) const {
  if (options_.observer != nullptr) {
    options_.observer->received(bytes);
  }
}

}  // namespace roadstead::storage::internal
