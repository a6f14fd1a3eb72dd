#include <map>

#include <openssl/pem.h>

#include "base/check.h"
#include "base/text.h"
#include "crypto/jwt.h"
#include "crypto/openssl.h"
#include "json/json.h"

namespace roadstead::crypto {
namespace {

constexpr std::size_t kHeaderSizeMax = 1024;

// One answer for every defect: a forger learns nothing from it.
Error refuse() {
  return {Code::kUnauthenticated, Subject::kToken, "invalid token", {}};
}

struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  ///< header.payload, as it stands in the token.
};

std::optional<Parts> split_token(std::string_view token) {
  if (token.size() > kTokenSizeMax) {
    return std::nullopt;
  }
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) {
    return std::nullopt;
  }
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
               token.substr(second + 1), token.substr(0, second)};
}

// The "kid" of a header we would have written. "crit" (RFC 7515) demands extensions, of which we
// know none.
std::optional<std::string> read_key_id(std::string_view encoded_header) {
  if (encoded_header.size() > kHeaderSizeMax) {
    return std::nullopt;
  }
  const auto text = from_base64url(encoded_header);
  if (!text) {
    return std::nullopt;
  }
  const auto document = json::Document::parse(*text, {.depth_max = 4, .size_max = kHeaderSizeMax});
  if (!document) {
    return std::nullopt;
  }
  const json::Value header = document->root();
  const auto key_id = header["kid"].as_string();
  const bool type_fits = !header["typ"].present() || header["typ"].as_string() == "JWT";
  if (header["alg"].as_string() != "RS256" || header["crit"].present() || !type_fits || !key_id) {
    return std::nullopt;
  }
  return std::string(*key_id);
}

bool holds(const openssl::Key& key, std::string_view signature, std::string_view text) {
  const openssl::ErrorScope errors;
  const openssl::DigestContext context(EVP_MD_CTX_new());
  CHECK(context &&
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1);
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                          text.size()) == 1;
}

}  // namespace

struct JwtVerifier::Impl {
  std::map<std::string, openssl::Key, std::less<>> keys;  ///< By key id.
};

JwtVerifier::JwtVerifier(const std::vector<std::string>& public_pems)
    : impl_(std::make_unique<Impl>()) {
  for (const std::string& pem : public_pems) {
    const openssl::Bio bio = openssl::reader(pem);
    openssl::Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
    CHECK(key && EVP_PKEY_is_a(key.get(), "RSA") == 1);
    std::string id = openssl::key_id(key);
    impl_->keys.emplace(std::move(id), std::move(key));
  }
}

JwtVerifier::JwtVerifier(JwtVerifier&&) noexcept = default;
JwtVerifier::~JwtVerifier() = default;

Result<std::string> JwtVerifier::verify(std::string_view token) const {
  const auto parts = split_token(token);
  if (!parts) {
    return refuse();
  }
  const auto key_id = read_key_id(parts->header);
  const auto key = key_id ? impl_->keys.find(*key_id) : impl_->keys.end();
  const auto signature = from_base64url(parts->signature);
  auto payload = from_base64url(parts->payload);
  if (key == impl_->keys.end() || !signature || !payload ||
      !holds(key->second, *signature, parts->signed_text)) {
    return refuse();
  }
  return std::move(*payload);
}

}  // namespace roadstead::crypto
