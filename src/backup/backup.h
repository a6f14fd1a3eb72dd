#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backup/source.h"
#include "base/clock.h"
#include "base/result.h"
#include "storage/blob_store.h"

namespace roadstead::backup {

struct BackupOptions {
  std::filesystem::path directory;  ///< Made when it is missing; used again by the next backup.
  /// False copies the database only and lists the content it needs.
  bool content = true;
  /// Give the store's files a second name instead of copying them, where the file system can. A
  /// damaged file is then damaged in both.
  bool link = false;
  std::size_t keep = 3;              ///< Copies of the database, with the new one; older ones go.
  std::filesystem::path secret_key;  ///< The data directory's file.
  std::filesystem::path token_signing_key;  ///< Where the configuration names one; or empty.
  std::string version;                      ///< Of this program.
};
inline constexpr std::size_t kKeepMax = 1'000;

struct BackupReport {
  std::string database;  ///< The copy that was made.
  std::int64_t blobs = 0;
  std::int64_t bytes = 0;
  std::int64_t copied = 0;
  std::int64_t copied_bytes = 0;
  std::int64_t linked = 0;
  std::int64_t removed = 0;  ///< Files of content that no kept copy needs.
  /// Content that the store itself has lost or damaged, one line each, at most kProblemsMax.
  std::vector<std::string> problems;
  std::int64_t problem_count = 0;
};
inline constexpr std::size_t kProblemsMax = 100;

/// Copies an installation, running or not, into a directory that also holds earlier backups: only
/// content that is not there yet is copied. Collection is held off meanwhile. The new backup counts
/// from the last step on, which is atomic; until then the earlier one does. Content that the store
/// has lost is reported, not an error: what is left is worth keeping. On success everything
/// survives power loss.
Result<BackupReport> make_backup(Source& source, storage::BlobStore& store,
                                 const BackupOptions& options, const Clock& clock);

struct VerifyReport {
  std::string database;
  std::int64_t blobs = 0;
  std::int64_t bytes = 0;
  bool content = true;  ///< False: the backup holds none, so none was read.
  std::vector<std::string> problems;
  std::int64_t problem_count = 0;
};
/// Reads everything that restoring would need and compares it with its digests. Changes nothing.
Result<VerifyReport> verify_backup(const std::filesystem::path& directory, const Clock& clock);

}  // namespace roadstead::backup
