#include <algorithm>
#include <array>
#include <map>
#include <ranges>
#include <set>
#include <span>

#include <fmt/format.h>

#include "base/text.h"
#include "registry/internal/artifact_kind.h"
#include "registry/internal/batch.h"
#include "registry/internal/lists.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/quota.h"

namespace roadstead::registry::internal {
namespace {

Result<void> revive(db::WriteSession& session, const Holder& holder, BlobId blob) {
  return session.execute_later(
      "UPDATE repository_blob SET condemned_at = NULL WHERE repository_id = ? AND blob_id = ?",
      {holder.repository, blob});
}

/// Fails in any case: says which blob is not there.
Result<void> refuse_without(db::ReadSession& session, BlobId blob) {
  const auto digest =
      TRY(session.first("SELECT digest FROM blob WHERE id = ?", {blob},
                        [](const db::Row& row) { return std::string(row.text(0)); }));
  return reference_missing({digest.value_or("")});
}

/// The repository must still hold the blobs when the transaction commits; a condemned row is
/// revived, and content that left the project's count comes back.
Result<void> keep_blobs(db::WriteSession& session, const Holder& holder,
                        std::span<const Held> blobs) {
  static const std::string kHeld =
      "SELECT blob_id, condemned_at FROM repository_blob WHERE repository_id = ? AND blob_id IN " +
      std::string(kBatchList) + " ORDER BY blob_id FOR UPDATE";
  static const std::string kCounted =
      "SELECT blob_id FROM project_blob WHERE project_id = ? AND blob_id IN " +
      std::string(kBatchList) + " FOR KEY SHARE";
  const auto ids = blobs | std::views::transform(&Held::blob);
  std::map<BlobId, bool> condemned;
  TRY(session.each(kHeld, batch_params({holder.repository}, ids), [&](const db::Row& row) {
    condemned.emplace(row.id<BlobId>(0), !row.is_null(1));
    return true;
  }));
  std::set<BlobId> counted;
  TRY(session.each(kCounted, batch_params({holder.project}, ids), [&](const db::Row& row) {
    counted.insert(row.id<BlobId>(0));
    return true;
  }));
  for (const Held& held : blobs) {
    const auto found = condemned.find(held.blob);
    if (found == condemned.end()) {
      return refuse_without(session, held.blob);
    }
    if (found->second) {
      TRY(revive(session, holder, held.blob));
    }
    if (!counted.contains(held.blob)) {
      TRY(count_blob(session, holder.project, held));
    }
  }
  return {};
}

Result<void> keep_child(db::WriteSession& session, const Holder& holder, const Child& child) {
  const std::int64_t present = TRY(
      session.execute("UPDATE artifact SET condemned_at = NULL WHERE id = ? AND repository_id = ?",
                      {child.artifact, holder.repository}));
  if (present == 0) {
    return reference_missing({child.digest});
  }
  return {};
}

struct StoredManifest {
  ManifestId id;
  bool created = false;
};

/// Bytes that are not those of the digest, which something outside damaged, are replaced.
Result<StoredManifest> ensure_manifest(db::WriteSession& session, const NewArtifact& artifact) {
  const std::string& digest = artifact.digest.to_string();
  bool intact = false;
  const auto found = TRY(session.first(
      // Whether it counts for the project is decided next.
      "SELECT id, size = ? AND bytes = ? FROM manifest WHERE digest = ? FOR NO KEY UPDATE",
      {artifact.bytes.size(), bytes_of(artifact.bytes), digest}, [&](const db::Row& row) {
        intact = row.boolean(1);
        return row.id<ManifestId>(0);
      }));
  if (found) {
    if (!intact) {
      TRY(session.execute_later("UPDATE manifest SET size = ?, bytes = ? WHERE id = ?",
                                {artifact.bytes.size(), bytes_of(artifact.bytes), *found}));
    }
    return StoredManifest{*found, false};
  }
  const auto& config = artifact.manifest.config;
  const db::Param config_digest = config ? db::Param(config->digest.to_string()) : nullptr;
  const db::Param config_type = config ? db::Param(config->media_type) : nullptr;
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO manifest (digest, media_type, config_digest, config_media_type, size, bytes) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      {digest, artifact.manifest.media_type, config_digest, config_type, artifact.bytes.size(),
       bytes_of(artifact.bytes)}));
  return StoredManifest{ManifestId{id}, true};
}

/// What the repository is like before a manifest comes.
struct Before {
  struct Present {
    ArtifactId id;
    ManifestId manifest;
    Time leased_until;
  };
  std::optional<Present> present;
  bool listed = false;         ///< The repository.
  bool has_referrers = false;  ///< Something is attached to the manifest already.
  bool unlimited = false;      ///< The project is.
};

/// With the repository locked, so that it stays like that.
Result<Before> look_before(db::ReadSession& session, const Holder& holder,
                           const NewArtifact& artifact) {
  const std::string& digest = artifact.digest.to_string();
  static const std::string kSql = fmt::format(
      "SELECT a.id, a.manifest_id, a.leased_until, r.listed, EXISTS (SELECT 1 FROM artifact s "
      "WHERE s.repository_id = r.id AND s.subject_digest = ?), {} FROM repository r LEFT JOIN "
      "artifact a ON a.repository_id = r.id AND a.digest = ? WHERE r.id = ?",
      kLimitColumn);
  Before before;
  TRY(session.each(kSql, {digest, digest, holder.repository}, [&](const db::Row& row) {
    if (!row.is_null(0)) {
      before.present = Before::Present{row.id<ArtifactId>(0), row.id<ManifestId>(1), row.time(2)};
    }
    before.listed = row.boolean(3);
    before.has_referrers = row.boolean(4);
    before.unlimited = is_unlimited(row, 5);
    return false;
  }));
  return before;
}

/// The manifest's own bytes count once per project.
Result<void> count_manifest(db::WriteSession& session, ProjectId project,
                            const StoredManifest& manifest, std::int64_t size, bool unlimited) {
  if (!manifest.created) {
    const auto counted =
        TRY(session.first("SELECT 1 FROM artifact WHERE manifest_id = ? AND project_id = ? LIMIT 1",
                          {manifest.id, project}, [](const db::Row&) { return true; }));
    if (counted) {
      return {};
    }
  }
  return charge(session, project, size, unlimited);
}

/// Nobody has the artifact as a child yet, so that a subject is all that may hide it.
bool listed_from_the_start(const NewArtifact& artifact) {
  return !artifact.manifest.subject.has_value();
}

Result<ArtifactId> insert_artifact(db::WriteSession& session, const Options& options,
                                   const Holder& holder, const NewArtifact& artifact,
                                   const Before& before) {
  const StoredManifest manifest = TRY(ensure_manifest(session, artifact));
  TRY(count_manifest(session, holder.project, manifest,
                     static_cast<std::int64_t>(artifact.bytes.size()), before.unlimited));
  const Time now = session.now();
  const Time pushed_at = artifact.pushed_at.value_or(now);
  const bool listed = listed_from_the_start(artifact);
  const model::Manifest& content = artifact.manifest;
  const db::Param subject =
      content.subject ? db::Param(content.subject->digest.to_string()) : nullptr;
  const std::string artifact_type = content.effective_artifact_type();
  const std::string annotations = annotations_json(content.annotations);
  const std::int64_t size =
      artifact.references.size + static_cast<std::int64_t>(artifact.bytes.size());
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO artifact (project_id, repository_id, manifest_id, digest, media_type, "
      "artifact_type, type, subject_digest, annotations, extra_attributes, size, leased_until, "
      "push_time, listed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {holder.project, holder.repository, manifest.id, artifact.digest.to_string(),
       content.config ? content.config->media_type : content.media_type, artifact_type,
       artifact.kind, subject, annotations, artifact.extra_attributes, size, now + options.lease(),
       pushed_at, listed}));
  // Only a new artifact touches the repository's row: pushing the same again must not make it hot.
  TRY(session.execute_later(
      "UPDATE repository SET artifact_count = artifact_count + 1, update_time = ? WHERE id = ?",
      {now, holder.repository}));
  if (!before.listed) {
    TRY(relist_repository(session, holder.repository));
  }
  if (listed) {
    TRY(auth::add_entry(session, artifacts_of(holder.repository), {{}, pushed_at, id}));
  }
  return ArtifactId{id};
}

/// For at most kBatch rows; the texts live as long as the program.
std::string_view insert_of_edges(std::size_t rows) {
  static const auto kTexts = [] {
    std::array<std::string, kBatch> texts;
    std::string text = "INSERT INTO artifact_blob (artifact_id, blob_id, repository_id) VALUES ";
    for (std::string& some : texts) {
      text += "(?, ?, ?)";
      some = text;
      text += ", ";
    }
    return texts;
  }();
  return kTexts.at(rows - 1);
}

Result<void> insert_edges(db::WriteSession& session, const Holder& holder, ArtifactId artifact,
                          const References& references) {
  const auto insert_some = [&](std::span<const Held> some) -> Result<void> {
    std::vector<db::Param> params;
    for (const Held& held : some) {
      params.insert(params.end(), {artifact, held.blob, holder.repository});
    }
    return session.execute_later(insert_of_edges(some.size()), params);
  };
  TRY(in_batches(std::span(references.blobs), insert_some));
  for (const Child& child : references.children) {
    TRY(session.execute_later(
        "INSERT INTO artifact_child (artifact_id, child_id, position, descriptor) VALUES (?, ?, ?, "
        "?)",
        {artifact, child.artifact, child.position, child.descriptor}));
  }
  return {};
}

/// A new artifact is listed; it takes its untagged children and what is attached to it off the
/// list.
Result<void> list_new(db::WriteSession& session, RepositoryId repository, ArtifactId id,
                      const NewArtifact& artifact, const Before& before) {
  if (!listed_from_the_start(artifact)) {
    TRY(relist_artifact(session, id));
  }
  for (const Child& child : artifact.references.children) {
    TRY(relist_artifact(session, child.artifact));
  }
  return before.has_referrers ? relist_referrers(session, repository, artifact.digest.to_string())
                              : Result<void>();
}

/// A push of what is there already: it lives on, and for another lease at least.
Result<void> renew(db::WriteSession& session, const Options& options,
                   const Before::Present& present, const NewArtifact& artifact) {
  const StoredManifest manifest = TRY(ensure_manifest(session, artifact));
  if (manifest.id != present.manifest) {
    TRY(session.execute_later("UPDATE artifact SET manifest_id = ? WHERE id = ?",
                              {manifest.id, present.id}));
  }
  const Time until = std::max(present.leased_until, session.now() + options.lease());
  return session.execute_later(
      "UPDATE artifact SET leased_until = ?, condemned_at = NULL WHERE id = ?",
      {until, present.id});
}

}  // namespace

Error reference_missing(const std::vector<std::string>& digests) {
  return Error{Code::kInvalid, Subject::kBlob, "blob unknown to registry",
               fmt::format("{}", fmt::join(digests, ","))};
}

Result<StoredArtifact> store_artifact(db::WriteSession& session, const Options& options,
                                      const Holder& holder, const NewArtifact& artifact) {
  TRY(in_batches(std::span(artifact.references.blobs),
                 [&](std::span<const Held> some) { return keep_blobs(session, holder, some); }));
  for (const Child& child : artifact.references.children) {
    TRY(keep_child(session, holder, child));
  }
  const Before before = TRY(look_before(session, holder, artifact));
  StoredArtifact stored;
  if (before.present) {
    stored.id = before.present->id;
    TRY(renew(session, options, *before.present, artifact));
  } else {
    stored.id = TRY(insert_artifact(session, options, holder, artifact, before));
    stored.created = true;
    stored.listed = listed_from_the_start(artifact);
    TRY(insert_edges(session, holder, stored.id, artifact.references));
    TRY(list_new(session, holder.repository, stored.id, artifact, before));
  }
  TRY(review(session, Review::kArtifact, holder.repository, stored.id.value,
             session.now() + options.lease()));
  return stored;
}

Result<void> record_tag(db::WriteSession& session, const TagChange& change, std::string_view tag,
                        std::string_view digest, std::string_view operation) {
  return session.execute_later(
      "INSERT INTO tag_history (repository_id, name, digest, operation, operator, op_time) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      {change.repository, tag, digest, operation, change.operator_name, session.now()});
}

Result<void> put_tag(db::WriteSession& session, const TagChange& change, const model::Tag& tag,
                     ArtifactId artifact, const model::Digest& digest) {
  struct Present {
    std::int64_t id;
    ArtifactId artifact;
  };
  const auto present =
      TRY(session.first("SELECT id, artifact_id FROM tag WHERE repository_id = ? AND name = ?",
                        {change.repository, tag.to_string()}, [](const db::Row& row) {
                          return Present{row.integer(0), row.id<ArtifactId>(1)};
                        }));
  const Time now = session.now();
  const Time pushed_at = change.pushed_at.value_or(now);
  if (!present) {
    TRY(session.execute_later(
        "INSERT INTO tag (repository_id, name, artifact_id, push_time) VALUES (?, ?, ?, ?)",
        {change.repository, tag.to_string(), artifact, pushed_at}));
    TRY(change.listed ? Result<void>() : relist_artifact(session, artifact));
    return record_tag(session, change, tag.to_string(), digest.to_string(), "create");
  }
  if (present->artifact == artifact) {
    return {};
  }
  TRY(session.execute_later("UPDATE tag SET artifact_id = ?, push_time = ? WHERE id = ?",
                            {artifact, pushed_at, present->id}));
  TRY(change.listed ? Result<void>() : relist_artifact(session, artifact));
  TRY(relist_artifact(session, present->artifact));
  TRY(review(session, Review::kArtifact, change.repository, present->artifact.value, now));
  return record_tag(session, change, tag.to_string(), digest.to_string(), "move");
}

Result<void> emit_event(db::WriteSession& session, std::string_view type,
                        std::string_view payload) {
  return session.execute_later("INSERT INTO event_outbox (type, payload, op_time) VALUES (?, ?, ?)",
                               {type, payload, session.now()});
}

}  // namespace roadstead::registry::internal
