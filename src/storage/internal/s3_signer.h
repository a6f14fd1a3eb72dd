#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace roadstead::storage::internal {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

struct S3Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;         ///< Empty for keys that last.
  std::optional<Time> expires_at{};  ///< Nothing for keys that last.
};

/// One request as AWS Signature Version 4 sees it.
struct SignedRequest {
  std::string method;
  std::string host;     ///< As in the Host header.
  std::string path;     ///< Already encoded by encode_path().
  NamedValues query;    ///< Not encoded.
  NamedValues headers;  ///< Those that are signed beside Host; lower-case names.
};

/// What the key of a signature is derived from.
struct SigningScope {
  std::string region;
  std::string service = "s3";
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

/// Escapes all but unreserved characters and slashes.
std::string encode_path(std::string_view path);
/// Encoded and in the order that signatures demand.
std::string canonical_query(const NamedValues& query);

/// Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and authorization to the headers.
void sign(SignedRequest& request, const SigningScope& scope, const S3Credentials& credentials,
          Time now, std::string_view payload_hash);
/// The encoded query, signature included, with which anybody may send the request until `lifetime`
/// is over (at most seven days).
std::string presign(SignedRequest request, const SigningScope& scope,
                    const S3Credentials& credentials, Time now, std::chrono::seconds lifetime);

}  // namespace roadstead::storage::internal
