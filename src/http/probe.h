#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace roadstead::http {

inline constexpr std::size_t kProbeBodyMax = std::size_t{64} << 10U;

struct ProbeAnswer {
  int status = 0;
  std::string body;  ///< At most kProbeBodyMax bytes of it
};

/// Asks one URL (http or https, port optional) with GET and waits for the answer, `limit` at most
/// for each step of it. For health checks of this machine's own server: certificates are not
/// verified, redirections are not followed, no proxy is used. Blocks. Errors: kInvalid + kRequest
/// for a URL that cannot be used, kUnavailable + kNone when no answer came.
Result<ProbeAnswer> probe(const std::string& url, std::chrono::seconds limit);

}  // namespace roadstead::http
