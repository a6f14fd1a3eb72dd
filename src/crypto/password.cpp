#include "crypto/password.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <argon2.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "base/text.h"
#include "crypto/hasher.h"
#include "crypto/openssl.h"
#include "sys/process.h"

namespace roadstead::crypto {
namespace {

constexpr std::uint32_t kMemoryKiB = 19 * 1024;
constexpr std::uint32_t kPasses = 2;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHashSize = 32;
constexpr std::string_view kOurForm = "$argon2id$v=19$m=19456,t=2,p=1$";

// A damaged row must not make a login cost minutes or gigabytes.
constexpr std::size_t kStoredSizeMax = 1024;
constexpr std::uint64_t kMemoryKiBMax = 262'144;
constexpr std::uint64_t kPassesMax = 16;
constexpr std::uint64_t kLanesMax = 4;
constexpr std::uint64_t kRoundsMax = 2'000'000;
constexpr std::size_t kKeySizeMin = 16;
constexpr std::size_t kKeySizeMax = 64;

// "m=19456" → 19456
std::optional<std::uint64_t> parameter(std::string_view text, std::string_view name) {
  if (!text.starts_with(name)) {
    return std::nullopt;
  }
  return parse_uint64(text.substr(name.size()));
}

bool within(std::optional<std::uint64_t> value, std::uint64_t max) {
  return value && *value >= 1 && *value <= max;
}

// `parts` of $argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>
bool verify_argon2(std::string_view password, const std::vector<std::string_view>& parts,
                   std::string_view stored) {
  const auto costs = split(parts[3], ',');
  if (parts.size() != 6 || parts[2] != "v=19" || costs.size() != 3 ||
      !within(parameter(costs[0], "m="), kMemoryKiBMax) ||
      !within(parameter(costs[1], "t="), kPassesMax) ||
      !within(parameter(costs[2], "p="), kLanesMax)) {
    return false;
  }
  const std::string encoded(stored);  // The library wants a terminating zero.
  return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

// `parts` of $pbkdf2-…$i=…$<salt>$<key>
bool verify_pbkdf2(std::string_view password, const std::vector<std::string_view>& parts,
                   const EVP_MD* digest) {
  const auto rounds = parameter(parts[2], "i=");
  const auto salt = parts.size() == 5 ? from_base64url(parts[3]) : std::nullopt;
  const auto key = parts.size() == 5 ? from_hex(parts[4]) : std::nullopt;
  if (!within(rounds, kRoundsMax) || !salt || !key || key->size() < kKeySizeMin ||
      key->size() > kKeySizeMax) {
    return false;
  }
  const openssl::ErrorScope errors;
  std::string derived(key->size(), '\0');
  const int done = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                                     reinterpret_cast<const unsigned char*>(salt->data()),
                                     static_cast<int>(salt->size()), static_cast<int>(*rounds),
                                     digest, static_cast<int>(derived.size()),
                                     reinterpret_cast<unsigned char*>(derived.data()));
  return done == 1 && equal_in_constant_time(derived, text_of(*key));
}

std::array<std::byte, kSaltSize> random_salt() {
  std::array<std::byte, kSaltSize> salt{};
  sys::random_bytes(salt);
  return salt;
}

}  // namespace

std::string hash_password(std::string_view password) {
  const auto salt = random_salt();
  std::array<char, 160> encoded{};
  const int result =
      argon2id_hash_encoded(kPasses, kMemoryKiB, 1, password.data(), password.size(), salt.data(),
                            salt.size(), kHashSize, encoded.data(), encoded.size());
  CHECK(result == ARGON2_OK);
  return encoded.data();
}

bool verify_password(std::string_view password, std::string_view stored) {
  if (stored.size() > kStoredSizeMax || password.size() > kPasswordSizeMax) {
    return false;
  }
  const auto parts = split(stored, '$');
  if (parts.size() < 4 || !parts[0].empty()) {
    return false;
  }
  if (parts[1] == "argon2id") {
    return verify_argon2(password, parts, stored);
  }
  if (parts[1] == "pbkdf2-sha256") {
    return verify_pbkdf2(password, parts, EVP_sha256());
  }
  if (parts[1] == "pbkdf2-sha1") {
    return verify_pbkdf2(password, parts, EVP_sha1());
  }
  return false;
}

bool needs_rehash(std::string_view stored) {
  return !stored.starts_with(kOurForm);
}

const std::string& decoy_hash() {
  // Of a password nobody has seen.
  static const std::string hash = hash_password(text_of(random_salt()));
  return hash;
}

}  // namespace roadstead::crypto
