#pragma once

#include <array>
#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/hasher.h"

namespace roadstead::model {

using Algorithm = crypto::HashAlgorithm;

/// Errors: kUnsupported + kDigest for an algorithm the specification knows and we do not, kInvalid
/// otherwise.
Result<Algorithm> parse_algorithm(std::string_view name);

/// The address of content: "sha256:<64 hex>" or "sha512:<128 hex>" (OCI image specification,
/// descriptor.md#digests).
class Digest {
 public:
  /// Lower-case hexadecimal of exactly the algorithm's length. Errors: kInvalid + kDigest (also for
  /// unknown algorithms).
  static Result<Digest> parse(std::string_view text);
  static Digest of(std::string_view content, Algorithm algorithm = Algorithm::kSha256);
  /// From a hasher's hex_digest().
  static Digest from_hex(Algorithm algorithm, std::string_view hex);

  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  [[nodiscard]] std::string_view hex() const;
  [[nodiscard]] const std::string& to_string() const { return text_; }
  auto operator<=>(const Digest& other) const { return text_ <=> other.text_; }
  bool operator==(const Digest& other) const { return text_ == other.text_; }

 private:
  Digest(Algorithm algorithm, std::string text) : algorithm_(algorithm), text_(std::move(text)) {}
  Algorithm algorithm_;
  std::string text_;
};

}  // namespace roadstead::model
