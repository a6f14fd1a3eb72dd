#include "registry/import.h"

#include "registry/internal/artifact_kind.h"
#include "registry/internal/import_rows.h"
#include "registry/internal/place.h"
#include "registry/internal/push_rows.h"

namespace roadstead::registry {
namespace {

using internal::Holder;

Result<void> import_manifest(db::WriteSession& session, const Options& options,
                             const Holder& holder, const ImportedManifest& imported,
                             std::vector<ImportedBlob>& fresh) {
  for (const ImportedBlob& blob : imported.blobs) {
    const auto claimed = TRY(internal::claim_blob(session, holder, blob));
    if (claimed == internal::Claimed::kNew) {
      fresh.push_back(blob);
    }
  }
  const internal::References references =
      TRY(internal::resolve_references(session, options, holder.repository, imported.manifest));
  if (!references.missing.empty()) {
    return internal::reference_missing(references.missing);
  }
  const std::string kind = internal::artifact_kind(imported.manifest);
  const internal::NewArtifact artifact{
      imported.manifest,
      imported.digest,
      imported.bytes,
      kind,
      internal::extra_attributes(imported.manifest, kind, imported.config),
      references,
      imported.pushed_at};
  TRY(internal::store_artifact(session, options, holder, artifact));
  return {};
}

}  // namespace

Result<std::vector<ImportedBlob>> import_manifests(db::Database& database, const Options& options,
                                                   const ImportPlace& place,
                                                   std::span<const ImportedManifest> manifests) {
  const auto import_all = [&](db::WriteSession& session) -> Result<std::vector<ImportedBlob>> {
    Holder holder{place.project, {}};
    holder.repository = TRY(internal::ensure_repository(session, place.project, place.repository,
                                                        internal::Use::kChange));
    std::vector<ImportedBlob> fresh;
    for (const ImportedManifest& manifest : manifests) {
      TRY(import_manifest(session, options, holder, manifest, fresh));
    }
    return fresh;
  };
  return database.write(import_all);
}

std::size_t rows_of(const ImportedManifest& manifest) {
  constexpr std::size_t kOfBlob = 5;  // blob, repository_blob, project_blob, quota_delta, edge
  constexpr std::size_t kOfArtifact = 6;
  return kOfArtifact + kOfBlob * manifest.blobs.size() + manifest.manifest.manifests.size();
}

Result<ImportedTags> import_tags(db::Database& database, const ImportPlace& place,
                                 std::span<const ImportedTag> tags, bool move) {
  CHECK(tags.size() <= kImportTagsMax);
  const auto import_all = [&](db::WriteSession& session) -> Result<ImportedTags> {
    ImportedTags done;
    const auto repository =
        TRY(internal::find_repository(session, place.project, place.repository));
    for (const ImportedTag& tag : tags) {
      std::optional<internal::TagTarget> target;
      if (repository) {
        target = TRY(internal::find_tag_target(session, *repository, tag.tag, tag.digest));
      }
      if (!target) {
        done.missing.push_back(tag.tag.to_string());
        continue;
      }
      if (target->named == tag.digest.to_string()) {
        ++done.present;
        continue;
      }
      if (target->named && !move) {
        ++done.kept;
        continue;
      }
      const internal::TagChange change{*repository, place.operator_name, tag.pushed_at};
      TRY(internal::put_tag(session, change, tag.tag, target->artifact, tag.digest));
      ++(target->named ? done.moved : done.created);
    }
    return done;
  };
  return database.write(import_all);
}

}  // namespace roadstead::registry
