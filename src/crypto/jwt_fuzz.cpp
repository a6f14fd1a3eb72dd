#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "crypto/jwt.h"
#include "json/json.h"

namespace {

using roadstead::crypto::JwtVerifier;
using roadstead::crypto::SigningKey;

// A key of this run only: whatever is accepted without its signature is a forgery.
const SigningKey& key() {
  static const SigningKey one = SigningKey::generate(2048).value();
  return one;
}

const JwtVerifier& verifier() {
  static const JwtVerifier one({key().public_pem()});
  return one;
}

std::string encode(std::string_view text) {
  return roadstead::to_base64url(roadstead::bytes_of(text));
}

// The input as a header over which the signature holds; KID in it stands for the key's id.
void check_header(std::string header) {
  if (const auto at = header.find("KID"); at != std::string::npos) {
    header.replace(at, 3, key().key_id());
  }
  const std::string text = encode(header) + "." + encode("{}");
  if (!verifier().verify(text + "." + encode(key().sign(text)))) {
    return;
  }
  const auto document = roadstead::json::Document::parse(header);
  CHECK(document);
  CHECK(document->root()["alg"].as_string() == "RS256");
  CHECK(document->root()["kid"].as_string() == key().key_id());
  CHECK(!document->root()["crit"].present());
}

// A good token into which the input is written somewhere: the first byte says where.
void check_tampered(std::string_view input) {
  static const std::string good = make_jwt(key(), R"({"sub":"admin"})");
  const std::size_t at = static_cast<unsigned char>(input.front()) * good.size() / 256;
  std::string token = good;
  token.replace(at, input.size() - 1, input.substr(1));
  CHECK(verifier().verify(token).has_value() == (token == good));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  CHECK(!verifier().verify(input));
  if (input.empty()) {
    return 0;
  }
  check_tampered(input);
  if (input.front() == '{' && size <= 512) {  // Signing is slow: only for what looks like a header.
    check_header(std::string(input));
    CHECK(verifier().verify(make_jwt(key(), input)).value() == input);
  }
  return 0;
}
