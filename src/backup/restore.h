#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "storage/blob_store.h"

namespace roadstead::backup {

struct RestoreOptions {
  std::filesystem::path directory;       ///< The backup.
  std::filesystem::path data_directory;  ///< Absent or empty.
  std::filesystem::path database;        ///< Where the database is to lie; absent.
  /// Opens the store that the content goes to. Called once the data directory is known to be empty.
  std::function<Result<std::unique_ptr<storage::BlobStore>>()> open_store;
};

struct RestoreReport {
  std::string database;
  std::int64_t blobs = 0;
  std::int64_t bytes = 0;
  bool content = true;  ///< False: the content was where it had been, and was read and compared.
  bool token_signing_key = false;  ///< One was written into the data directory.
};

/// A name in the data directory while a restore works there and after one that did not finish: no
/// server starts over it.
inline constexpr std::string_view kUnfinished = "restoring";

/// Makes a data directory of a backup. Every blob is hashed on the way and everything survives
/// power loss on success; until then the database is not under its name. What a failure leaves has
/// to be removed by whoever tries again. Errors: kConflict + kStorage when the data directory is
/// not empty; kPrecondition when the backup is of a newer version; kInvalid or kDigestMismatch when
/// the backup is damaged.
Result<RestoreReport> restore_backup(const RestoreOptions& options, const Clock& clock,
                                     log::Logger logger);

}  // namespace roadstead::backup
