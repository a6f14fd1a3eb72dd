#pragma once

#include <cstddef>

namespace roadstead::http {

/// Outcome of one non-blocking transfer.
struct IoResult {
  enum class Kind {
    kMoved,    ///< `bytes` (> 0) went through.
    kBlocked,  ///< Try again after the next readiness event.
    kEnded,    ///< The peer sends nothing more.
    kFailed,
  };
  Kind kind = Kind::kFailed;
  std::size_t bytes = 0;
};

}  // namespace roadstead::http
