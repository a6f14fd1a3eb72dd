#include "storage/internal/s3_signer.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hasher.h"
#include "http/uri.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

/// "20130524T000000Z"
std::string amz_date(Time time) {
  const std::string text = format_rfc3339(time);  // "2013-05-24T00:00:00.000Z"
  std::string date;
  for (const char c : std::string_view(text).substr(0, text.find('.'))) {
    if (c != '-' && c != ':') {
      date += c;
    }
  }
  return date + "Z";
}

std::string scope_text(const SigningScope& scope, std::string_view date) {
  return fmt::format("{}/{}/{}/aws4_request", date.substr(0, 8), scope.region, scope.service);
}

NamedValues sorted_headers(const SignedRequest& request) {
  NamedValues headers = request.headers;
  headers.emplace_back("host", request.host);
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string names_of(const NamedValues& headers) {
  std::string names;
  for (const auto& [name, value] : headers) {
    names += (names.empty() ? "" : ";") + name;
  }
  return names;
}

struct Signing {
  const SigningScope& scope;
  const S3Credentials& credentials;
  std::string_view date;
  std::string_view payload_hash;
};

std::string signature(const SignedRequest& request, const Signing& signing) {
  const NamedValues headers = sorted_headers(request);
  std::string canonical =
      fmt::format("{}\n{}\n{}\n", request.method, request.path, canonical_query(request.query));
  for (const auto& [name, value] : headers) {
    canonical += fmt::format("{}:{}\n", name, trim(value));
  }
  canonical += fmt::format("\n{}\n{}", names_of(headers), signing.payload_hash);
  const std::string text = fmt::format(
      "{}\n{}\n{}\n{}", kAlgorithm, signing.date, scope_text(signing.scope, signing.date),
      crypto::hex_digest(crypto::HashAlgorithm::kSha256, canonical));
  std::string key = "AWS4" + signing.credentials.secret_key;
  for (const std::string_view piece :
       {signing.date.substr(0, 8), std::string_view(signing.scope.region),
        std::string_view(signing.scope.service), std::string_view("aws4_request")}) {
    key = crypto::hmac_sha256(key, piece);
  }
  return to_hex(bytes_of(crypto::hmac_sha256(key, text)));
}

}  // namespace

std::string encode_path(std::string_view path) {
  return http::percent_encode(path, "/");
}

std::string canonical_query(const NamedValues& query) {
  NamedValues encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(http::percent_encode(name), http::percent_encode(value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    text.append(text.empty() ? "" : "&").append(name).append("=").append(value);
  }
  return text;
}

void sign(SignedRequest& request, const SigningScope& scope, const S3Credentials& credentials,
          Time now, std::string_view payload_hash) {
  const std::string date = amz_date(now);
  request.headers.emplace_back("x-amz-date", date);
  request.headers.emplace_back("x-amz-content-sha256", payload_hash);
  if (!credentials.session_token.empty()) {
    request.headers.emplace_back("x-amz-security-token", credentials.session_token);
  }
  const std::string proof = signature(request, {scope, credentials, date, payload_hash});
  request.headers.emplace_back(
      "authorization", fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                                   credentials.access_key, scope_text(scope, date),
                                   names_of(sorted_headers(request)), proof));
}

std::string presign(SignedRequest request, const SigningScope& scope,
                    const S3Credentials& credentials, Time now, std::chrono::seconds lifetime) {
  const std::string date = amz_date(now);
  request.query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  request.query.emplace_back("X-Amz-Credential",
                             credentials.access_key + "/" + scope_text(scope, date));
  request.query.emplace_back("X-Amz-Date", date);
  request.query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  request.query.emplace_back("X-Amz-SignedHeaders", names_of(sorted_headers(request)));
  if (!credentials.session_token.empty()) {
    request.query.emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  const std::string proof = signature(request, {scope, credentials, date, kUnsignedPayload});
  return canonical_query(request.query) + "&X-Amz-Signature=" + proof;
}

}  // namespace roadstead::storage::internal
