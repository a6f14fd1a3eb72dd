#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "db/database.h"
#include "fsck/report.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::fsck {

struct CheckOptions {
  bool repair = false;
  bool deep = false;            ///< Reads and hashes every blob.
  bool sparse_indexes = false;  ///< As registry::Options: absent children are no finding.
  /// Also reports what another registry left in the store and no import took over. Otherwise that
  /// is no finding, as nobody has said yet that it is not wanted.
  bool left_behind = false;
  /// Staged bytes that were written to since are no finding: a request may be at work on them.
  std::chrono::seconds staged_age{10 * 60};
  /// What a process that was killed may leave behind: bytes that no row is about, staged or
  /// published. All that is of use right after the start of the next one.
  enum class Extent : std::uint8_t { kAll, kStaged, kFiles };
  Extent extent = Extent::kAll;
};

/// Compares the database with itself and with the store, both ways. Safe beside pushes, pulls and
/// the collector: it reads pages, and what depends on the store is looked at again under the
/// digest's lock before it is called a finding. With `repair` it corrects what can be corrected
/// without losing anything; nothing is deleted but by the collector.
class Check {
 public:
  struct Parts {
    db::Database& database;
    storage::BlobStore& store;
    storage::DigestLocks& locks;
  };
  Check(Parts parts, const CheckOptions& options) : parts_(parts), options_(options) {}

  /// Errors: kUnavailable + kNone when it was stopped; those of database and store.
  Result<Report> run(const std::stop_token& stop);
  /// What it is doing now, for another thread to ask.
  [[nodiscard]] std::string_view stage() const { return stage_.load(); }

 private:
  Parts parts_;
  CheckOptions options_;
  std::atomic<const char*> stage_{"starting"};
};

}  // namespace roadstead::fsck
