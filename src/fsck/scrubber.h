#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/log.h"
#include "base/result.h"
#include "db/database.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::fsck {

/// Reads all content again and again, at a bounded rate, and compares it with its digest: what has
/// not been verified for longest comes first, and each blob's row remembers when that was, so a
/// restart loses nothing. What is damaged is marked, logged and told as an event; from then on it
/// answers as absent, and a push heals it. A thread of its own; no session is open while it reads.
class Scrubber {
 public:
  struct Parts {
    db::Database& database;
    storage::BlobStore& store;
    storage::DigestLocks& locks;
    log::Logger logger;
  };
  struct Options {
    std::uint64_t bytes_per_second = 0;         ///< 0: it does nothing.
    std::chrono::seconds interval{7 * 86'400};  ///< What was verified since then is left alone.
    /// Whether this process is the one to do it at the moment; asked between pages. Empty: it is.
    std::function<bool()> has_turn{};
  };
  struct Statistics {
    std::uint64_t bytes = 0;
    std::uint64_t blobs = 0;
    std::uint64_t damaged = 0;
  };

  Scrubber(Parts parts, Options options);
  /// Ends it within one piece of a blob.
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  [[nodiscard]] Statistics statistics() const;
  /// Age of the oldest verification; 0 when there are no blobs.
  [[nodiscard]] Result<std::chrono::seconds> oldest_age() const;

  /// One round on the caller's thread, without any pace and not beside the scrubber's own: up to
  /// `count` blobs that are due. Returns how many it looked at.
  Result<std::size_t> scrub_due(std::size_t count);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::fsck
