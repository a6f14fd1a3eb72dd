#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

/// Encrypts small secrets that rest in the database (AES-256-GCM) under a key that rests elsewhere.
namespace roadstead::crypto {

inline constexpr std::size_t kSecretKeySize = 32;

/// Random raw bytes for a key file.
std::string new_secret_key();

/// Printable text, different at every call; no spaces. `context` names what is sealed (a table and
/// column, say): it is not stored, and open() must be given the same, so that a sealed text is of
/// no use in another place. `key` has kSecretKeySize bytes (CHECKed; who reads a key file looks
/// first). `plaintext` is at most 1 MiB.
std::string seal(std::string_view key, std::string_view plaintext, std::string_view context = {});

/// Errors: kInvalid when `sealed` was not made with this key and context, or was changed since.
Result<std::string> open(std::string_view key, std::string_view sealed,
                         std::string_view context = {});

}  // namespace roadstead::crypto
