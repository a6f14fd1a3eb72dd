#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backup/backup.h"
#include "backup/source.h"
#include "base/clock.h"
#include "base/result.h"
#include "storage/blob_store.h"

namespace roadstead::backup {

struct ExportOptions {
  std::filesystem::path directory;
  bool link = false;  ///< As BackupOptions::link.
};

struct ExportReport {
  std::int64_t repositories = 0;
  std::int64_t manifests = 0;
  std::int64_t tags = 0;
  std::int64_t blobs = 0;
  std::int64_t bytes = 0;   ///< Of blobs.
  std::int64_t copied = 0;  ///< Blobs that were not there yet.
  std::int64_t linked = 0;
  std::vector<std::string> problems;  ///< As BackupReport::problems.
  std::int64_t problem_count = 0;
};

/// Writes everything that repositories serve as the storage of CNCF distribution, below
/// `directory`/docker/registry/v2, so that its `rootdirectory` can be `directory`. Of a running
/// server or a stopped one; as of one moment. Run again it goes on where it stopped, adds what is
/// new, moves tags and removes those that are gone; repositories that are gone stay.
Result<ExportReport> export_distribution(Source& source, storage::BlobStore& store,
                                         const ExportOptions& options, const Clock& clock);

}  // namespace roadstead::backup
