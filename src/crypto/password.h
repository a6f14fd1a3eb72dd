#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace roadstead::crypto {

/// Longer passwords verify nothing; callers refuse them where they are set.
inline constexpr std::size_t kPasswordSizeMax = 4096;

/// argon2id with m = 19 MiB, t = 2, p = 1 in PHC string form ("$argon2id$v=19$…"). About 16 ms:
/// call it on the password pool (auth/), never on an I/O thread.
std::string hash_password(std::string_view password);

/// Verifies against any form this server may hold:
///   $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>   ours; other costs up to 256 MiB and 16 passes
///   $pbkdf2-sha256$i=600000$<salt>$<key>           imported: users of a current Harbor
///   $pbkdf2-sha256$i=4096$<salt>$<key>             imported: users of an older one, robots
///   $pbkdf2-sha1$i=4096$<salt>$<key>               imported: users of Harbor 1.x
/// In the imported forms <salt> is the row's salt, whose characters are the salt's bytes, as
/// base64url without padding, and <key> is the row's hexadecimal text as it is (16 bytes in Harbor,
/// 16 to 64 here). An unknown or damaged form verifies nothing.
bool verify_password(std::string_view password, std::string_view stored);

/// True when `stored` is not of the form and costs that hash_password() makes and should be
/// replaced after a successful login.
bool needs_rehash(std::string_view stored);

/// A hash that no password verifies against but that costs as much: for unknown users. Made at the
/// first call.
const std::string& decoy_hash();

}  // namespace roadstead::crypto
