#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roadstead::db::internal {

/// Where a MySQL or MariaDB server is and who we are there: the parts of
///   mysql://user:password@host:port/database?socket=…&ssl-mode=…&ssl-ca=…&ssl-cert=…&ssl-key=…
///     &server-public-key-path=…
/// with percent escapes decoded.
struct MysqlAddress {
  enum class Tls : std::uint8_t {
    kNone,
    kRequired,  ///< Encrypted, with whoever answers.
    kVerified   ///< The certificate is of the host that was asked for.
  };
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user;
  std::string password;
  std::string database;
  std::string socket;  ///< Path of a unix socket, instead of host and port.
  Tls tls = Tls::kNone;
  std::string tls_authority;    ///< File of certificates; empty: the system's.
  std::string tls_certificate;  ///< Ours, and its key.
  std::string tls_key;
  std::string server_public_key;  ///< File, for caching_sha2_password without TLS.
};

/// Errors: kInvalid + kDatabase; the message holds no part of the URL but names of options.
Result<MysqlAddress> parse_mysql_url(std::string_view url);

}  // namespace roadstead::db::internal
