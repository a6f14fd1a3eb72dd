#include "model/digest.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace roadstead::model {
namespace {

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

std::string join(Algorithm algorithm, std::string_view hex) {
  std::string text(crypto::to_string(algorithm));
  text += ':';
  text += hex;
  return text;
}

// The whole digest fits; what does not cannot be one and need not be answered in full.
Error invalid(std::string message, std::string_view text) {
  return {Code::kInvalid, Subject::kDigest, std::move(message), std::string(text.substr(0, 160))};
}

}  // namespace

Result<Algorithm> parse_algorithm(std::string_view name) {
  if (name == "sha256") {
    return Algorithm::kSha256;
  }
  if (name == "sha512") {
    return Algorithm::kSha512;
  }
  if (name == "blake3") {
    return Error{Code::kUnsupported, Subject::kDigest, "digest algorithm is not supported",
                 std::string(name)};
  }
  return invalid("unknown digest algorithm", name);
}

Result<Digest> Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return invalid("a digest has the form algorithm:hex", text);
  }
  const auto algorithm = parse_algorithm(text.substr(0, colon));
  if (!algorithm) {
    return invalid(algorithm.error().message, text);
  }
  const std::string_view hex = text.substr(colon + 1);
  if (hex.size() != crypto::hex_size(*algorithm) || !is_lower_hex(hex)) {
    return invalid("a " + std::string(crypto::to_string(*algorithm)) + " digest has " +
                       std::to_string(crypto::hex_size(*algorithm)) +
                       " lower-case hexadecimal digits",
                   text);
  }
  return Digest(*algorithm, std::string(text));
}

Digest Digest::of(std::string_view content, Algorithm algorithm) {
  return {algorithm, join(algorithm, crypto::hex_digest(algorithm, content))};
}

Digest Digest::from_hex(Algorithm algorithm, std::string_view hex) {
  CHECK(hex.size() == crypto::hex_size(algorithm) && is_lower_hex(hex));
  return {algorithm, join(algorithm, hex)};
}

std::string_view Digest::hex() const {
  return std::string_view(text_).substr(crypto::to_string(algorithm_).size() + 1);
}

}  // namespace roadstead::model
