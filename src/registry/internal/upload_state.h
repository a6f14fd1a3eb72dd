#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/guarded.h"
#include "base/lru_map.h"
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
  /// Grows after each change of a row that this process made, and before whoever made it leaves
  /// `active`: a request that finds it unchanged need not read its row again.
  std::atomic<std::uint64_t> changes{0};
  /// When reap() looks for staged bytes again in a store that is not here.
  std::chrono::steady_clock::time_point stale_at{};

  /// Whether other processes may write into the same uploads.
  [[nodiscard]] bool shared() const {
    return options.shared_database || !database.reads_are_local();
  }
  /// Errors: kUnavailable + kStorage when the store would be below its floor.
  Result<void> check_space(std::uint64_t incoming);
  /// Errors: kDenied + kQuota when what the project uses, has staged and is writing would be over
  /// its limit.
  Result<void> check_quota(const internal::Room& room, ProjectId project, std::uint64_t incoming);

  /// Counts as a change. An upload that was finished, cancelled or given up must not come back by
  /// what its id promises. Remembered by this process, as far as there is room: elsewhere and after
  /// a restart such an id is an upload without bytes again, which harms nobody.
  void end(const std::string& id);
  /// Removes what the store has staged under the token of a row, if that names any of it.
  Result<void> discard_staged(const std::string& token);
  [[nodiscard]] bool has_ended(const std::string& id);

 private:
  Guarded<LruMap<char>> ended_{kEndedMax};
  static constexpr std::size_t kEndedMax = 10'000;

  struct FreeSpace {
    std::chrono::steady_clock::time_point read_at{};
    std::optional<std::uint64_t> bytes;
  };
  Guarded<FreeSpace> free_space_;
};

namespace internal {

/// The target of a session. While the upload is not stored, its repository is made with the row.
struct SessionTarget {
  UploadRow row;
  model::RepositoryName repository;
  std::string identity;          ///< Whose upload it becomes.
  std::uint64_t changes_before;  ///< State::changes before the row was read.
  bool few_are_open = false;     ///< So that limits on open uploads need no second look.
  bool single = false;           ///< Begins and ends with this request: nobody else has its id.
};

/// Errors: kRange + kUpload when the chunk does not begin where the upload ends.
Result<void> check_order(const Chunk& chunk, const UploadRow& row);

/// Enters the table, waits until an earlier request has stopped, then opens the writer where the
/// upload stands.
Result<std::unique_ptr<UploadSession>> open_session(Uploads::State& state, SessionTarget target,
                                                    const Chunk& chunk);

}  // namespace internal
}  // namespace roadstead::registry
