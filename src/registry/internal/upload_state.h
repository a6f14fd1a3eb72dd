#pragma once

#include <memory>
#include <optional>
#include <string>

#include "registry/internal/active_uploads.h"
#include "registry/internal/upload_rows.h"
#include "registry/upload.h"

namespace roadstead::registry {

/// What all sessions share.
struct Uploads::State {
  db::Database& database;
  storage::BlobStore& store;
  storage::DigestLocks& locks;
  const Options options;
  internal::ActiveUploads active;

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

/// Enters the table, waits until an earlier request has stopped, then opens the writer.
Result<std::unique_ptr<UploadSession>> open_session(Uploads::State& state, SessionTarget target,
                                                    std::optional<std::uint64_t> length);

}  // namespace internal
}  // namespace roadstead::registry
