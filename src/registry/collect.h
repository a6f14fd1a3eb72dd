#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "registry/options.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::registry {

/// The steps of the garbage collector. Each is one bounded transaction, or a bounded number of
/// removals from the store; any of them may be interrupted, repeated, and run beside pushes and
/// pulls. Only one thread takes steps at a time. How content lives and dies: README.md.

/// Something that a step removed, or that a run would remove.
struct Removed {
  enum class Kind : std::uint8_t { kArtifact, kManifest, kBlob };
  Kind kind;
  std::string name;  ///< "repository@digest" of an artifact, a digest of the others.
  std::int64_t size = 0;
};

struct Collected {
  std::size_t reviewed = 0;   ///< Questions answered; fewer than asked for: no more are due.
  std::size_t postponed = 0;  ///< Of those, how many failed and will be asked again.
  std::string problem;        ///< Why the last of them failed.
  std::int64_t condemned = 0;
  std::vector<Removed> removed;
  /// For how long others could not write because of it.
  std::chrono::microseconds worked{0};
  /// When the oldest question that it saw was due.
  Time oldest = Time::max();
};

struct ReviewStep {
  std::size_t count = 200;
  /// Only questions that were due then: others keep coming while people work.
  Time until = Time::max();
  /// False: condemns, but removes nothing and asks again later. So it is, too, while anybody holds
  /// content (hold.h).
  bool purge = true;
};
/// Answers up to `count` due questions of `review`: condemns what nothing keeps and removes what
/// was condemned a grace period ago and still has nothing that keeps it.
Result<Collected> review_due(db::Database& database, const Options& options,
                             const ReviewStep& step);

/// Untagged artifacts after `after`, in the order of their ids, up to `count`: condemned, to be
/// removed after the grace period. What has a tag, a parent, a subject or a live lease is left.
struct Condemned {
  ArtifactId last;            ///< Where the next step goes on.
  std::size_t looked_at = 0;  ///< 0: there are no more.
  std::int64_t condemned = 0;
};
Result<Condemned> condemn_untagged(db::Database& database, const Options& options, ArtifactId after,
                                   std::size_t count);

/// Forgets up to `count` deleted artifacts that can be restored no longer; their manifests follow
/// by review. Returns how many.
Result<std::size_t> forget_trash(db::Database& database, const Options& options, std::size_t count);

/// Removes up to `count` queued contents from the store, each under its digest's lock and only when
/// no row names it again. Returns the digests; none: the queue is empty. `workers` threads share
/// the work.
struct StoreStep {
  std::size_t count = 200;
  std::size_t workers = 1;
};
Result<std::vector<std::string>> remove_from_store(db::Database& database,
                                                   storage::BlobStore& store,
                                                   storage::DigestLocks& locks,
                                                   const StoreStep& step);

/// What a run would remove if it began now, without changing anything. Reads in pages, so what
/// happens meanwhile may be in it or not. `complete` is false when there is more than `max`.
struct Plan {
  std::vector<Removed> removed;
  bool complete = true;
};
Result<Plan> plan_collection(db::Database& database, const Options& options, bool delete_untagged,
                             std::size_t max);

}  // namespace roadstead::registry
