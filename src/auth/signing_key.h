#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "crypto/jwt.h"
#include "db/database.h"

namespace roadstead::auth {

/// The key that signs tokens, sealed under `secret_key` (crypto::kSecretKeySize bytes) in the
/// database, made at the first start. Servers that share a database share the key. Errors:
/// kPrecondition + kToken when the stored key cannot be opened with this secret key.
Result<crypto::SigningKey> load_signing_key(db::Database& database, std::string_view secret_key);

/// The key in a PEM file that the configuration names. Errors: as sys::read_file(), kInvalid.
Result<crypto::SigningKey> read_signing_key(const std::filesystem::path& path);

}  // namespace roadstead::auth
