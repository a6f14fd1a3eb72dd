#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/manifest.h"
#include "model/reference.h"
#include "registry/options.h"
#include "storage/blob_store.h"

namespace roadstead::registry {

/// Taking over what another registry has: as push.h, but content lies in the store already, and
/// many manifests share a transaction. For operators only, so no Caller is asked for a permission,
/// and no event is told: nobody pushed anything.

/// Content of the store that a manifest refers to.
struct ImportedBlob {
  model::Digest digest;
  std::uint64_t size = 0;
  storage::Location location;  ///< "" when it has a row already.
  bool hashed = false;         ///< False: its name was believed, so the scrubber looks at it first.
};

struct ImportedManifest {
  model::Digest digest;
  std::string bytes;
  model::Manifest manifest;         ///< What parse_manifest() makes of them.
  std::vector<ImportedBlob> blobs;  ///< What it refers to and is in the store.
  std::string config;               ///< The config's content; "" when nobody wants to look at it.
  std::optional<Time> pushed_at;    ///< Absent: now.
};

struct ImportedTag {
  model::Tag tag;
  model::Digest digest;
  std::optional<Time> pushed_at;
};

/// Where to: the project exists.
struct ImportPlace {
  ProjectId project;
  const model::RepositoryName& repository;
  std::string_view operator_name;  ///< Who the history says it was.
};

/// Registers manifests in this order, all or none, in one transaction: children before what names
/// them. What is there already stays as it is. Every blob becomes readable in the repository.
/// Returns the blobs whose rows are new: the caller looks under their digests' locks whether their
/// content is still there, as the collector may have been about to remove it. Errors: kInvalid +
/// kBlob when something it refers to is not here or is marked as damaged (`detail`: digests,
/// comma-separated); kDenied + kQuota.
Result<std::vector<ImportedBlob>> import_manifests(db::Database& database, const Options& options,
                                                   const ImportPlace& place,
                                                   std::span<const ImportedManifest> manifests);
/// Rows that this will take, about: transactions are bounded.
std::size_t rows_of(const ImportedManifest& manifest);

/// What became of tags, in numbers; `missing` are those whose manifest is not here.
struct ImportedTags {
  std::int64_t created = 0;
  std::int64_t moved = 0;
  std::int64_t present = 0;
  std::int64_t kept = 0;  ///< They name something else here, and may not be moved.
  std::vector<std::string> missing;
};
/// Sets tags in one transaction; at most kImportTagsMax. A tag that is here stays where it is
/// unless `move`.
inline constexpr std::size_t kImportTagsMax = 100;
Result<ImportedTags> import_tags(db::Database& database, const ImportPlace& place,
                                 std::span<const ImportedTag> tags, bool move);

/// What is here already, so that an import which is run again passes over it: those of `digests`
/// that are artifacts of the repository, and of `blobs`, whoever holds them, if they are intact.
Result<std::set<std::string>> imported_manifests(db::ReadSession& session, const ImportPlace& place,
                                                 std::span<const model::Digest> digests);
Result<std::optional<std::int64_t>> imported_blob_size(db::ReadSession& session,
                                                       const model::Digest& digest);
/// Those of `tags` that already name here what they name there.
Result<std::set<std::string>> imported_tags(db::ReadSession& session, const ImportPlace& place,
                                            std::span<const ImportedTag> tags);

}  // namespace roadstead::registry
