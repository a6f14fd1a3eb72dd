#include <algorithm>

#include "json/json.h"
#include "registry/internal/trash_rows.h"
#include "registry/trash.h"

namespace roadstead::registry {
namespace {

std::vector<std::string> names_in(std::string_view json_array) {
  std::vector<std::string> names;
  const auto document = json::Document::parse(json_array);
  if (!document) {
    return names;
  }
  const json::Value root = document->root();
  for (std::size_t i = 0; root.is_array() && i < root.size(); ++i) {
    if (const auto name = root.at(i).as_string()) {
      names.emplace_back(*name);
    }
  }
  return names;
}

TrashedArtifact trashed_from(const db::Row& row) {
  return {row.integer(0),
          std::string(row.text(1)),
          std::string(row.text(2)),
          std::string(row.text(3)),
          names_in(row.text(4)),
          std::string(row.text(5)),
          row.time(6),
          std::string(row.text(7))};
}

// Of several deletions of one artifact the last; none that is there again.
constexpr std::string_view kOfProject =
    "FROM artifact_trash t JOIN manifest m ON m.id = t.manifest_id WHERE t.project_id = ? "
    "AND NOT EXISTS (SELECT 1 FROM artifact_trash n WHERE n.repository_name = t.repository_name "
    "AND n.digest = t.digest AND n.project_id = t.project_id AND n.id > t.id) "
    "AND NOT EXISTS (SELECT 1 FROM repository r JOIN artifact a ON a.repository_id = r.id AND "
    "a.digest = t.digest WHERE r.full_name = t.repository_name)";
constexpr std::string_view kOfRepository = " AND t.repository_name = ?";
constexpr std::string_view kColumns =
    "SELECT t.id, t.repository_name, t.digest, m.media_type, t.tags, t.operator, t.op_time, "
    "t.taken_with ";

}  // namespace

Result<auth::Page<TrashedArtifact>> list_trash(db::ReadSession& session, ProjectId project,
                                               std::string_view repository,
                                               const auth::ListQuery& query) {
  std::string where(kOfProject);
  std::vector<db::Param> params{project};
  if (!repository.empty()) {
    where += kOfRepository;
    params.emplace_back(repository);
  }
  auth::Page<TrashedArtifact> page;
  params.emplace_back(kTrashCountMax);
  page.total =
      TRY(session.first("SELECT COUNT(*) FROM (SELECT 1 " + where + " LIMIT ?) counted",
                        db::Params(params), [](const db::Row& row) { return row.integer(0); }))
          .value_or(0);
  params.back() = query.limit();
  params.emplace_back(query.offset());
  page.items =
      TRY(session.all(std::string(kColumns) + where + " ORDER BY t.id DESC LIMIT ? OFFSET ?",
                      db::Params(params), trashed_from));
  return page;
}

namespace internal {
namespace {

std::optional<model::Digest> digest_in(const db::Row& row) {
  auto digest = model::Digest::parse(row.text(0));
  return digest ? std::optional(std::move(*digest)) : std::nullopt;
}

/// The digest that a statement finds, if any.
Result<std::optional<model::Digest>> first_digest(db::ReadSession& session, std::string_view sql,
                                                  std::initializer_list<db::Param> params) {
  const auto found = TRY(session.first(sql, params, digest_in));
  return found.value_or(std::nullopt);
}

/// What has to be in the repository for the manifest to be there, children apart.
std::vector<const model::Descriptor*> needed_blobs(const model::Manifest& manifest) {
  std::vector<const model::Descriptor*> needed;
  const auto add = [&](const model::Descriptor& descriptor) {
    if (descriptor.distributable()) {
      needed.push_back(&descriptor);
    }
  };
  if (manifest.config) {
    add(*manifest.config);
  }
  std::for_each(manifest.layers.begin(), manifest.layers.end(), add);
  // Build caches put plain blobs into an index.
  for (const model::Descriptor& child : manifest.manifests) {
    if (!model::is_manifest_type(child.media_type)) {
      add(child);
    }
  }
  return needed;
}

}  // namespace

Result<std::optional<Trashed>> find_trashed(db::ReadSession& session, const TrashPlace& place,
                                            const model::Digest& digest) {
  return session.first(
      "SELECT m.bytes, m.media_type, t.extra_attributes, t.tags FROM artifact_trash t JOIN "
      "manifest "
      "m ON m.id = t.manifest_id WHERE t.repository_name = ? AND t.digest = ? AND t.project_id = ? "
      "ORDER BY t.id DESC LIMIT 1",
      {place.repository.to_string(), digest.to_string(), place.project}, [&](const db::Row& row) {
        return Trashed{digest, std::string(row.text(0)), std::string(row.text(1)),
                       std::string(row.text(2)), names_in(row.text(3))};
      });
}

Result<std::vector<model::Digest>> taken_along(db::ReadSession& session, const TrashPlace& place,
                                               const model::Digest& digest, std::size_t count) {
  const auto found = TRY(session.all(
      "SELECT DISTINCT digest FROM artifact_trash WHERE repository_name = ? AND project_id = ? AND "
      "taken_with = ? ORDER BY digest LIMIT ?",
      {place.repository.to_string(), place.project, digest.to_string(), count}, digest_in));
  std::vector<model::Digest> digests;
  for (const auto& one : found) {
    if (one) {
      digests.push_back(*one);
    }
  }
  return digests;
}

Result<void> forget_trashed(db::WriteSession& session, const TrashPlace& place,
                            const model::Digest& digest) {
  TRY(session.execute(
      "DELETE FROM artifact_trash WHERE repository_name = ? AND digest = ? AND project_id = ?",
      {place.repository.to_string(), digest.to_string(), place.project}));
  return {};
}

Result<std::optional<model::Digest>> find_lost_blob(db::ReadSession& session,
                                                    const model::Manifest& manifest) {
  for (const model::Descriptor* blob : needed_blobs(manifest)) {
    if (!TRY(find_held(session, blob->digest))) {
      return std::optional(blob->digest);
    }
  }
  return std::optional<model::Digest>();
}

Result<void> relink_blobs(db::WriteSession& session, const Options& options, const Holder& holder,
                          const model::Manifest& manifest) {
  for (const model::Descriptor* blob : needed_blobs(manifest)) {
    const auto held = TRY(find_held(session, blob->digest));
    if (!held) {
      continue;
    }
    const auto here =
        TRY(session.first("SELECT 1 FROM repository_blob WHERE repository_id = ? AND blob_id = ?",
                          {holder.repository, held->blob}, [](const db::Row&) { return true; }));
    if (!here) {
      TRY(lease_blob(session, options, holder, *held));
    }
  }
  return {};
}

Result<std::optional<model::Digest>> find_tagged(db::ReadSession& session, RepositoryId repository,
                                                 std::string_view tag) {
  return first_digest(session,
                      "SELECT a.digest FROM tag t JOIN artifact a ON a.id = t.artifact_id WHERE "
                      "t.repository_id = ? AND t.name = ?",
                      {repository, tag});
}

Result<std::optional<model::Digest>> find_deleted_tag(db::ReadSession& session,
                                                      RepositoryId repository,
                                                      std::string_view tag) {
  return first_digest(session,
                      "SELECT digest FROM tag_history WHERE repository_id = ? AND name = ? AND "
                      "operation = 'delete' AND id = (SELECT MAX(id) FROM tag_history WHERE "
                      "repository_id = ? AND name = ?)",
                      {repository, tag, repository, tag});
}

Result<bool> ever_named(db::ReadSession& session, RepositoryId repository, std::string_view tag,
                        const model::Digest& digest) {
  const auto found = TRY(session.first(
      "SELECT 1 FROM tag_history WHERE repository_id = ? AND name = ? AND digest = ? LIMIT 1",
      {repository, tag, digest.to_string()}, [](const db::Row&) { return true; }));
  return found.value_or(false);
}

Result<std::optional<ArtifactId>> find_present(db::ReadSession& session, RepositoryId repository,
                                               const model::Digest& digest) {
  return session.first("SELECT id FROM artifact WHERE repository_id = ? AND digest = ?",
                       {repository, digest.to_string()},
                       [](const db::Row& row) { return row.id<ArtifactId>(0); });
}

}  // namespace internal
}  // namespace roadstead::registry
