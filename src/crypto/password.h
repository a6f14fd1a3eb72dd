#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace roadstead::crypto {

/// argon2id with m = 19 MiB, t = 2, p = 1 in PHC string form ("$argon2id$v=19$…"). About 16 ms:
/// call it on the password pool (auth/), never on an I/O thread.
std::string hash_password(std::string_view password);

/// Verifies against any form this server may hold:
///   $argon2id$…                                       ours
///   $pbkdf2-sha256$i=600000$<salt>$<hex>              imported from Harbor ("sha256" rows: hex of
///   16 bytes ×? see .cpp) $pbkdf2-sha1$i=4096$<salt>$<hex>                  imported from
///   Harbor 1.x $sha256$<salt>$<hex>  (robot secrets)
/// An unknown form verifies nothing.
bool verify_password(std::string_view password, std::string_view stored);

/// True when `stored` is weaker than what hash_password() makes and should be replaced after a
/// successful login.
bool needs_rehash(std::string_view stored);

/// A hash that no password verifies against but that costs as much: for unknown users.
const std::string& decoy_hash();

}  // namespace roadstead::crypto
