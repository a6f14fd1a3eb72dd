#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "storage/internal/s3_credentials.h"
#include "storage/internal/s3_signer.h"
#include "storage/internal/s3_transport.h"
#include "storage/internal/s3_xml.h"
#include "storage/s3.h"

namespace roadstead::storage::internal {

/// A body that can be read more than once.
struct S3Body {
  std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::byte> into)> read{};
  std::uint64_t size = 0;
  std::string sha256{};  ///< Hexadecimal, when it is known anyway; then the store verifies it.

  static S3Body of(std::string text);
};

struct S3Call {
  S3Operation operation = S3Operation::kGet;
  std::string method = "GET";
  std::string key{};  ///< The whole key; empty: the bucket.
  NamedValues query{};
  NamedValues headers{};  ///< Lower-case names; all are signed.
  S3Body body{};
  bool patient = false;  ///< The store may be at work for minutes before it answers.
};

/// For S3Client::read().
inline constexpr std::uint64_t kWholeObject = UINT64_MAX;

/// What a read gives.
struct S3Stream {
  std::unique_ptr<HttpExchange> exchange;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< Bytes that the exchange will give.
  std::uint64_t size = 0;    ///< Of the object.
  std::string etag;
};

/// Requests to one bucket: signed, sent again with a growing random pause when the store is slow,
/// failing or cut off, counted. Thread-safe.
class S3Client {
 public:
  explicit S3Client(S3Options options);
  ~S3Client();
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;

  [[nodiscard]] const S3Options& options() const { return options_; }

  /// The answer, whatever its status below 500. Errors: kUnavailable + kStorage after the last
  /// attempt; those of CredentialChain::get().
  Result<HttpAnswer> call(const S3Call& call);
  /// As call(), but any other status than 200 and 204 is an error: kNotFound + kStorage for 404,
  /// kInternal + kStorage with the store's code for what it refuses.
  Result<HttpAnswer> demand(const S3Call& call);
  /// Begins to read `length` bytes at `offset`, or as many as there are; kWholeObject at 0 also
  /// where there are none. Errors: kNotFound + kStorage; kRange + kStorage when the object ends
  /// before.
  Result<S3Stream> read(const std::string& key, std::uint64_t offset, std::uint64_t length);
  /// A URL for anybody. Errors: those of CredentialChain::get().
  Result<std::string> presigned_get(const std::string& key, const NamedValues& query,
                                    std::chrono::seconds lifetime);
  /// Waits before attempt `attempt` + 1: longer each time, by chance, and as the store asks for.
  void pause(unsigned attempt, const HttpAnswer& answer) const;
  /// Tells the observer of bytes that came after an answer's header.
  void count_received(std::uint64_t bytes) const;

 private:
  struct Verdict;
  Result<HttpRequest> signed_request(const S3Call& call, const S3Credentials& credentials) const;
  Result<std::unique_ptr<HttpExchange>> exchange(const S3Call& call, HttpAnswer& answer);
  Verdict judge(const S3Call& call, const Result<void>& ended, const HttpAnswer& answer) const;
  void learn_time(const HttpAnswer& answer);
  [[nodiscard]] Time now() const;

  const S3Options options_;
  SystemClock clock_;
  HttpPool pool_;
  CredentialChain credentials_;
  /// The store's clock minus ours, once it has complained about ours.
  std::atomic<std::int64_t> clock_offset_micros_{0};
  // What pauses between attempts wait on.
  mutable Guarded<bool> closing_{false};
  mutable std::condition_variable wake_;
};

/// For answers that demand() would not take.
Error refused(const HttpAnswer& answer);

}  // namespace roadstead::storage::internal
