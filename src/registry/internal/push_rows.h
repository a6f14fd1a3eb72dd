#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/manifest.h"
#include "model/reference.h"
#include "registry/internal/content.h"
#include "registry/options.h"
#include "storage/blob_store.h"

namespace roadstead::registry::internal {

struct Child {
  ArtifactId artifact;
  std::string digest;
  std::int64_t position = 0;
  std::string descriptor;  ///< JSON.
};

/// What a manifest refers to in its repository, found in a read session and checked again in the
/// transaction.
struct References {
  std::vector<Held> blobs;
  std::vector<Child> children;
  std::vector<std::string> missing;         ///< Digests.
  std::int64_t size = 0;                    ///< Of all that was referred to, as the manifest says.
  std::optional<storage::Location> config;  ///< Of a config that lies in the store.
  std::string config_bytes;                 ///< Of one that is a row.
  std::int64_t config_size = 0;
};
/// `repository` absent: nothing is there yet.
Result<References> resolve_references(db::ReadSession& session, const Options& options,
                                      std::optional<RepositoryId> repository,
                                      const model::Manifest& manifest);
/// Whether that takes one statement at most.
bool resolves_at_once(const model::Manifest& manifest);

/// Everything about a manifest that was computed outside the transaction.
struct NewArtifact {
  const model::Manifest& manifest;
  const model::Digest& digest;
  std::string_view bytes;
  std::string kind;
  std::string extra_attributes;
  const References& references;
  std::optional<Time> pushed_at{};  ///< Elsewhere and earlier; absent: now.
};
struct StoredArtifact {
  ArtifactId id;
  bool created = false;
  bool listed = false;  ///< Known to be on the list of artifacts.
};
/// Manifest, artifact with lease, edges and quota. Errors: kInvalid + kBlob when something it
/// refers to went away meanwhile; kDenied + kQuota.
Result<StoredArtifact> store_artifact(db::WriteSession& session, const Options& options,
                                      const Holder& holder, const NewArtifact& artifact);

/// Who changes tags of which repository.
struct TagChange {
  RepositoryId repository;
  std::string_view operator_name;
  std::optional<Time> pushed_at{};  ///< As NewArtifact::pushed_at. History is told as of now.
  bool listed = false;              ///< As StoredArtifact::listed: a tag changes nothing about it.
};
/// Points the tag at the artifact; a move is kept in the history and makes the former artifact due
/// for review. No change, no trace.
Result<void> put_tag(db::WriteSession& session, const TagChange& change, const model::Tag& tag,
                     ArtifactId artifact, const model::Digest& digest);
/// Appends to tag_history: "create", "move" or "delete".
Result<void> record_tag(db::WriteSession& session, const TagChange& change, std::string_view tag,
                        std::string_view digest, std::string_view operation);

Result<void> emit_event(db::WriteSession& session, std::string_view type, std::string_view payload);

Error reference_missing(const std::vector<std::string>& digests);

}  // namespace roadstead::registry::internal
