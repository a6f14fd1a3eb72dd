#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "registry/internal/active_uploads.h"
#include "registry/internal/upload_rows.h"
#include "registry/upload.h"

namespace roadstead::registry {

/// What all sessions share.
struct Uploads::State {
  State(db::Database& uploads_database, storage::BlobStore& blob_store,
        storage::DigestLocks& digest_locks, Options own_options)
      : database(uploads_database),
        store(blob_store),
        locks(digest_locks),
        options(std::move(own_options)) {}

  db::Database& database;
  storage::BlobStore& store;
  storage::DigestLocks& locks;
  const Options options;
  internal::ActiveUploads active;
  std::atomic<std::int64_t> turns{0};

  /// Whether other processes may write into the same uploads.
  [[nodiscard]] bool shared() const {
    return options.shared_database || !database.reads_are_local();
  }
  /// Errors: kUnavailable + kStorage below the floor, kDenied + kQuota when what the project uses,
  /// has staged and is writing would be over its limit.
  Result<void> check_room(ProjectId project, std::uint64_t incoming);
};

namespace internal {

/// The target of a session. Without a row (an upload in one request) `row.id` is a name for the
/// table of active uploads only, and the repository is made at the commit.
struct SessionTarget {
  UploadRow row;
  bool has_row = true;
  model::RepositoryName repository;
};

/// Errors: kRange + kUpload when the chunk does not begin where the upload ends.
Result<void> check_order(const Chunk& chunk, const UploadRow& row);

/// Enters the table, waits until an earlier request has stopped, then opens the writer where the
/// upload stands.
Result<std::unique_ptr<UploadSession>> open_session(Uploads::State& state, SessionTarget target,
                                                    const Chunk& chunk);

}  // namespace internal
}  // namespace roadstead::registry
