#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roadstead::crypto {

/// An RSA key pair that signs RS256. Thread-safe.
class SigningKey {
 public:
  /// 2048 to 8192 bits. Errors: kInvalid.
  static Result<SigningKey> generate(unsigned bits);
  /// PKCS #8 or PKCS #1, unencrypted, RSA of 2048 to 8192 bits. Errors: kInvalid.
  static Result<SigningKey> from_pem(std::string_view pem);
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  [[nodiscard]] std::string to_pem() const;      ///< PKCS #8. A secret.
  [[nodiscard]] std::string public_pem() const;  ///< SubjectPublicKeyInfo.
  /// A self-signed certificate of this key (10 years), for a stock distribution's rootcertbundle.
  /// `common_name`: 1 to 64 ASCII characters.
  [[nodiscard]] std::string certificate_pem(std::string_view common_name) const;
  /// libtrust key id: base32 of the first 30 bytes of SHA-256 over the DER SubjectPublicKeyInfo, in
  /// groups of four joined by ':'.
  [[nodiscard]] const std::string& key_id() const;
  /// RSASSA-PKCS1-v1_5 with SHA-256, raw bytes.
  [[nodiscard]] std::string sign(std::string_view text) const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

inline constexpr std::size_t kTokenSizeMax = std::size_t{16} << 10U;

/// header.payload.signature with {"alg":"RS256","typ":"JWT","kid":…}. `payload` is JSON text.
std::string make_jwt(const SigningKey& key, std::string_view payload);

/// Verifies signatures of several keys, chosen by "kid". Thread-safe.
class JwtVerifier {
 public:
  /// Keys as public_pem() writes them; other text breaks a CHECK.
  explicit JwtVerifier(const std::vector<std::string>& public_pems);
  JwtVerifier(JwtVerifier&&) noexcept;
  ~JwtVerifier();
  /// The payload's text when the token is well-formed, "alg" is exactly RS256, "kid" names one of
  /// our keys and the signature holds. Claims are the caller's to check. Errors: kUnauthenticated +
  /// kToken. At most kTokenSizeMax bytes of token.
  [[nodiscard]] Result<std::string> verify(std::string_view token) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace roadstead::crypto
