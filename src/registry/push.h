#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/options.h"
#include "storage/blob_store.h"

namespace roadstead::registry {

struct ManifestPush {
  const model::RepositoryName& repository;
  const model::Reference& reference;
  std::string_view content_type;  ///< Without parameters; may be empty.
  std::string_view bytes;
  /// Beside `reference` (the tag= parameters); repeated ones count once. At most kPushTagsMax.
  std::vector<model::Tag> tags;
};
inline constexpr std::size_t kPushTagsMax = 100;

struct PushedManifest {
  std::string digest;
  std::optional<std::string> subject;
  std::vector<std::string> tags;  ///< All that name it now: the reference, when it is a tag, first.
  bool created = false;           ///< False when the repository had this artifact before.
};

/// Stores a manifest and all that follows from it in one transaction: artifact with a lease, edges
/// to what it refers to, tags with history, quota, event. Pushing the same again is success.
/// Errors: as permit(); those of model::parse_manifest(); kDigestMismatch + kDigest when the
/// reference is a digest of other content; kInvalid + kBlob when content it refers to is not in
/// this repository (`detail`: the digests, comma-separated); kDenied + kQuota.
Result<PushedManifest> put_manifest(db::Database& database, storage::BlobStore& store,
                                    const Options& options, const Caller& caller,
                                    const ManifestPush& push);

}  // namespace roadstead::registry
