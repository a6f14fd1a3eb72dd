#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roadstead::redis {

struct Endpoint {
  std::string host;  ///< A name or an address, without the brackets of IPv6.
  std::uint16_t port = 0;
};

/// How to reach a server, from a URL:
///   redis://user:password@host:6379/0
///   rediss://:password@host:6380/0?ca=FILE           with TLS
///   redis+sentinel://:password@host1:26379,host2:26379/master-name/0
///   rediss+sentinel://…                              with TLS, to the sentinels as well
/// Query options:
///   ca=FILE                   who signs the server's certificate (default: the system's)
///   certificate=FILE key=FILE what we show to a server that asks for it
///   sentinel_password=TEXT    of the sentinels; the password in front of @ is the server's
///   pool_size=N               connections at most (default 16)
///   connect_ms=N              longest wait for a connection, with its handshakes (default 200)
///   command_ms=N              longest wait for an answer (default 100)
/// User, passwords and files may be percent-encoded, and must be where they hold one of /?#&@%.
struct Options {
  std::vector<Endpoint> endpoints;  ///< The server, or its sentinels.
  std::string master;               ///< What sentinels call the server; empty without them.
  std::string user;
  std::string password;
  std::string sentinel_password;
  std::int64_t database = 0;
  bool tls = false;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::size_t pool_size = 16;
  std::chrono::milliseconds connect_time{200};
  std::chrono::milliseconds command_time{100};
};

/// Errors: kInvalid + kConfiguration; the message holds nothing of the URL that may be secret.
Result<Options> parse_url(std::string_view url);

}  // namespace roadstead::redis
