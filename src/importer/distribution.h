#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "auth/principal.h"
#include "base/guarded.h"
#include "base/result.h"
#include "db/database.h"
#include "importer/source_tree.h"
#include "registry/options.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::importer {

struct ImportOptions {
  /// For repositories whose name has one component only: here every repository is in a project.
  std::string project = "library";
  bool public_projects = false;  ///< Those that the import makes.
  bool verify = false;  ///< Hashes blobs that are new here instead of believing their names.
  /// Copies content into the store (and hashes it on the way). Otherwise the tree is the store's
  /// own and nothing is moved.
  bool copy = false;
  bool move_tags = false;  ///< Also those that name something else here by now.
};

struct ImportReport {
  static constexpr std::size_t kProblemsMax = 100;

  std::int64_t repositories = 0;
  std::int64_t manifests = 0;  ///< Registered now.
  std::int64_t manifests_present = 0;
  std::int64_t tags = 0;
  std::int64_t tags_moved = 0;
  std::int64_t tags_present = 0;
  std::int64_t tags_kept = 0;  ///< They name something else here and were left there.
  std::int64_t blobs = 0;      ///< Rows that are new.
  std::int64_t bytes = 0;      ///< Of them.
  std::int64_t copied = 0;
  std::string at;                     ///< The repository that is looked at.
  std::vector<std::string> problems;  ///< What was not imported and why, a line each.
  std::int64_t problem_count = 0;
};

/// Registers what a tree in the layout of CNCF distribution serves: repositories, manifests with
/// their blobs, tags. Reads the tree in pages and writes bounded transactions, so that what a
/// manifest needs is there with it or not at all; run again, it passes over what is here and goes
/// on. Safe beside pushes, pulls and the collector. What cannot be imported is reported and left
/// out.
class DistributionImport {
 public:
  struct Parts {
    db::Database& database;
    storage::BlobStore& store;
    storage::DigestLocks& locks;
    const registry::Options& options;
    const auth::Principal& administrator;  ///< Owner of projects that are made.
  };
  DistributionImport(const Parts& parts, SourceTree& source, ImportOptions options);

  /// Errors: kNotFound + kConfiguration when there is no such tree; kInvalid + kProject;
  /// kUnavailable + kNone when it was stopped; those of the database.
  Result<ImportReport> run(const std::stop_token& stop);
  /// So far, for another thread to ask.
  [[nodiscard]] ImportReport progress() const;

 private:
  Parts parts_;
  SourceTree& source_;
  ImportOptions options_;
  Guarded<ImportReport> report_;
};

}  // namespace roadstead::importer
