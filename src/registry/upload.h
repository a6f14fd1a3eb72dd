#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/options.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::registry {

namespace internal {
struct SeenUpload;
struct SessionTarget;
}  // namespace internal

struct UploadStatus {
  std::string id;            ///< A UUID.
  std::uint64_t offset = 0;  ///< Bytes that survive the end of the process.
};

/// One request that writes into an upload. Used by one thread at a time. Destroying it without
/// checkpoint() or commit() leaves the upload as it was before the request.
class UploadSession {
 public:
  virtual ~UploadSession() = default;
  /// Errors: kConflict + kUpload when a later request has taken the upload over, kDenied + kQuota,
  /// kUnavailable + kStorage.
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
  [[nodiscard]] virtual std::uint64_t offset() const = 0;
  /// Ends a PATCH: what was written so far belongs to the upload.
  virtual Result<UploadStatus> checkpoint() = 0;
  /// Ends a PUT: publishes the whole upload under `expected` and gives the repository a lease on
  /// it. Durable when it returns. A digest that does not match publishes nothing and ends the
  /// upload, as no further byte can make it match: kDigestMismatch + kDigest.
  virtual Result<void> commit(const model::Digest& expected) = 0;
};

/// What a PATCH or PUT says about its body.
struct Chunk {
  std::optional<std::uint64_t> first;   ///< Of Content-Range; absent: wherever the upload stands.
  std::optional<std::uint64_t> length;  ///< Of the body, when known.
  bool last = false;                    ///< A PUT: the upload ends with it.
};

/// Blob uploads: resumable, one writer at a time, across restarts of the process. Thread-safe.
///
/// A request that writes first makes any earlier writer of this process let go; where other
/// processes share the database, it also claims the row by compare-and-set of its generation.
/// Checkpoint and commit count only while the generation is the one they began with. So bytes of
/// two requests never mix.
class Uploads {
 public:
  /// The collaborators outlive it and all its sessions.
  Uploads(db::Database& database, storage::BlobStore& store, storage::DigestLocks& locks,
          Options options);
  ~Uploads();
  Uploads(const Uploads&) = delete;
  Uploads& operator=(const Uploads&) = delete;

  /// Errors of all: as permit(); kNotFound + kUpload for an unknown or expired upload.

  /// Announces an upload; writes nothing, and waits for nothing but a read. Errors: kDenied +
  /// kQuota when the project is full, kUnavailable + kStorage when the store is.
  Result<UploadStatus> start(const Caller& caller, const model::RepositoryName& repository,
                             model::Algorithm algorithm);
  /// Gives `repository` a lease on content that the caller may read: in `from`, or anywhere. False
  /// when there is none that the caller may read. Errors: kDenied + kQuota.
  Result<bool> mount(const Caller& caller, const model::RepositoryName& repository,
                     const model::Digest& digest, const std::optional<model::RepositoryName>& from);
  /// Errors: kRange + kUpload when the chunk does not begin at the offset; `detail` is the offset;
  /// kRateLimited + kUpload when the first chunk would be one open upload too many.
  Result<std::unique_ptr<UploadSession>> open(const Caller& caller,
                                              const model::RepositoryName& repository,
                                              std::string_view id, const Chunk& chunk);
  /// An upload in a single request: no row, only commit() ends it.
  Result<std::unique_ptr<UploadSession>> open_single(const Caller& caller,
                                                     const model::RepositoryName& repository,
                                                     model::Algorithm algorithm,
                                                     std::optional<std::uint64_t> length);
  Result<UploadStatus> status(const Caller& caller, const model::RepositoryName& repository,
                              std::string_view id);
  Result<void> cancel(const Caller& caller, const model::RepositoryName& repository,
                      std::string_view id);

  /// Removes up to `count` expired uploads with their staged bytes; returns how many. For a timer.
  Result<std::size_t> reap(std::size_t count);
  /// Requests that are writing now, for metrics.
  [[nodiscard]] std::size_t running() const;

  struct State;

 private:
  Result<internal::SeenUpload> find(db::ReadSession& session, const Caller& caller,
                                    const model::RepositoryName& repository, std::string_view id);
  Result<void> check_limits(const internal::SessionTarget& target);
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::registry
