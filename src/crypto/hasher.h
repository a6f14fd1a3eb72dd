#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace roadstead::crypto {

enum class HashAlgorithm : std::uint8_t { kSha256, kSha512 };
/// "sha256", "sha512": the names of the OCI image specification.
std::string_view to_string(HashAlgorithm algorithm);
/// Digits of a hexadecimal digest: 64, 128.
std::size_t hex_size(HashAlgorithm algorithm);

/// A running SHA-2 hash whose state can be saved between two chunks of an upload and resumed in
/// another process. Copyable: a copy continues on its own. Used by one thread at a time.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  /// From save(). Errors: kInvalid when `state` is not one.
  static Result<Hasher> resume(std::string_view state);

  [[nodiscard]] HashAlgorithm algorithm() const;
  void update(std::span<const std::byte> bytes);
  /// Number of bytes hashed so far.
  [[nodiscard]] std::uint64_t length() const;
  /// Opaque printable text, the same on every machine: at most 512 characters without spaces.
  [[nodiscard]] std::string save() const;
  /// Lower-case hexadecimal digest of everything so far; the hasher can go on.
  [[nodiscard]] std::string hex_digest() const;

 private:
  // Opaque storage for OpenSSL's SHA256_CTX / SHA512_CTX, so that no OpenSSL header leaks.
  struct alignas(8) Sha256State {
    std::array<std::byte, 112> bytes;
  };
  struct alignas(8) Sha512State {
    std::array<std::byte, 216> bytes;
  };
  std::variant<Sha256State, Sha512State> state_;
};

/// Hexadecimal SHA-256 / SHA-512 of a whole text.
std::string hex_digest(HashAlgorithm algorithm, std::string_view text);
/// 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// 16 raw bytes, for protocols that demand it of what they transfer. Protects against accidents
/// only.
std::string md5(std::string_view text);
/// True when equal, in time that depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace roadstead::crypto
