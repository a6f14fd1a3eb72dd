#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/blob_store.h"

namespace roadstead::storage {

/// Kinds of requests to an object store, as they are counted.
enum class S3Operation : std::uint8_t {
  kGet,
  kHead,
  kPut,
  kDelete,
  kList,
  kMultipart,  ///< Creating, completing, aborting and listing multipart uploads.
  kPart,
  kCredentials,
};
inline constexpr std::size_t kS3Operations = 8;
/// "get", "put", … : a label.
std::string_view to_string(S3Operation operation);

/// How one attempt ended.
enum class S3Outcome : std::uint8_t {
  kDone,
  kRefused,      ///< 4xx, also for what is not there.
  kSlowDown,     ///< The store asks for less.
  kServerError,  ///< 5xx
  kBroken,       ///< No whole answer: connection, time-out.
};
inline constexpr std::size_t kS3Outcomes = 5;
std::string_view to_string(S3Outcome outcome);

/// One attempt of a request.
struct S3Attempt {
  S3Operation operation = S3Operation::kGet;
  S3Outcome outcome = S3Outcome::kDone;
  bool retry = false;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::chrono::microseconds took{0};  ///< Until the answer's header.
};

/// Told of every attempt; called from many threads.
class S3Observer {
 public:
  virtual ~S3Observer() = default;
  virtual void attempted(const S3Attempt& attempt) = 0;
  /// Bytes of a body that came later than its header.
  virtual void received(std::uint64_t bytes) = 0;
};

using Environment = std::function<std::optional<std::string>(std::string_view)>;

struct S3Options {
  std::string bucket;
  std::string prefix;    ///< Empty, or ends with a slash.
  std::string endpoint;  ///< "https://host[:port]"
  std::string region;
  /// The bucket in the path instead of in the host name.
  bool path_style = false;
  /// What clients are sent to; empty: the endpoint.
  std::string public_endpoint;
  std::string ca_file;                     ///< PEM; empty: the system's authorities.
  std::string server_side_encryption;      ///< "", "AES256" or "aws:kms"
  std::string kms_key;                     ///< Of aws:kms; empty: the bucket's.
  std::string storage_class;               ///< Empty: the bucket's.
  std::uint64_t part_size = 8U << 20U;     ///< Of the first parts; 8 MiB to 512 MiB.
  std::uint64_t buffer_max = 256U << 20U;  ///< Memory for parts of all uploads together.
  std::size_t parts_in_flight = 3;         ///< Of one upload.
  unsigned attempts_max = 6;
  std::chrono::milliseconds retry_after{100};  ///< Doubles with each attempt, up to 10 s.
  std::chrono::milliseconds silence_max{30'000};
  /// Where parts go that have no room in memory; never more than their descriptors tell.
  std::filesystem::path spool = "/tmp";
  /// Where credentials and defaults come from.
  Environment environment;
  S3Observer* observer = nullptr;  ///< May be null; outlives the store.
};

/// s3://bucket/prefix?endpoint=https://host&region=…, as docs/storage.md describes it. Defaults
/// come from `environment` (AWS_REGION, AWS_ENDPOINT_URL_S3, …). Errors: kInvalid + kConfiguration
/// naming what is wrong with it.
Result<S3Options> parse_s3_url(std::string_view url, Environment environment);

/// Blobs in a bucket of an object store that speaks S3, which any number of processes may use at
/// once. Below the prefix:
///   blobs/<uuid>                  a blob; its location
///   uploads/<uuid>/<random hex>   bytes of an upload that are too few for a part, at a checkpoint
///   docker/registry/v2/blobs/…    blobs that CNCF distribution left; read and removed
/// Asks the store whether the bucket can be used. Errors: kInvalid + kConfiguration when it cannot;
/// kUnavailable + kStorage when the store does not answer.
Result<std::unique_ptr<BlobStore>> open_s3_store(const S3Options& options);

}  // namespace roadstead::storage
