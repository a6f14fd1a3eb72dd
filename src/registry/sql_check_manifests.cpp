#include <set>

#include <fmt/format.h>

#include "registry/check.h"
#include "registry/internal/artifact_kind.h"
#include "registry/internal/content.h"
#include "registry/internal/lists.h"

namespace roadstead::registry {
namespace {

struct Owner {
  ArtifactId id;
  RepositoryId repository;
  std::string name;  ///< "p/app@sha256:…"
};

using Digests = std::set<std::string, std::less<>>;

Result<Digests> digests_behind(db::ReadSession& session, std::string_view sql,
                               ArtifactId artifact) {
  Digests digests;
  TRY(session.each(sql, {artifact}, [&](const db::Row& row) {
    digests.emplace(row.text(0));
    return true;
  }));
  return digests;
}

/// Compares what the manifest refers to with the edges of one artifact, by the rules of a push
/// (sql_references.cpp).
class EdgeComparison {
 public:
  EdgeComparison(db::ReadSession& session, const Owner& owner, bool sparse)
      : session_(session), owner_(owner), sparse_(sparse) {}

  Result<void> read() {
    blobs_ = TRY(digests_behind(
        session_,
        "SELECT b.digest FROM artifact_blob ab JOIN blob b ON b.id = ab.blob_id WHERE "
        "ab.artifact_id = ?",
        owner_.id));
    children_ = TRY(digests_behind(
        session_,
        "SELECT a.digest FROM artifact_child c JOIN artifact a ON a.id = c.child_id WHERE "
        "c.artifact_id = ?",
        owner_.id));
    return {};
  }

  Result<void> blob(const model::Descriptor& descriptor) {
    const std::string& digest = descriptor.digest.to_string();
    if (!seen_.insert(digest).second || blobs_.contains(digest) || !descriptor.distributable()) {
      return {};
    }
    const auto held = TRY(internal::find_held(session_, descriptor.digest));
    add({owner_.id, {}, digest, false, held.has_value()});
    return {};
  }

  Result<void> child(const model::Descriptor& descriptor, std::int64_t position) {
    const std::string& digest = descriptor.digest.to_string();
    if (seen_.contains(digest)) {
      return {};
    }
    if (children_.contains(digest)) {
      seen_.insert(digest);
      return {};
    }
    const auto found = TRY(session_.first(
        "SELECT id FROM artifact WHERE repository_id = ? AND digest = ?",
        {owner_.repository, digest}, [](const db::Row& row) { return row.id<ArtifactId>(0); }));
    const bool manifest = model::is_manifest_type(descriptor.media_type);
    if (!manifest && (!found || blobs_.contains(digest))) {
      return blob(descriptor);
    }
    seen_.insert(digest);
    // What came later than a sparse index is not linked to it.
    const bool linked_then = found && *found < owner_.id;
    if (linked_then || (!found && !sparse_)) {
      add({owner_.id,
           {},
           digest,
           true,
           found.has_value(),
           position,
           internal::descriptor_json(descriptor)});
    }
    return {};
  }

  std::vector<MissingEdge> missing;

 private:
  void add(MissingEdge edge) {
    edge.object = fmt::format("{} -> {}", owner_.name, edge.digest);
    missing.push_back(std::move(edge));
  }

  db::ReadSession& session_;
  const Owner& owner_;
  const bool sparse_;
  Digests blobs_;
  Digests children_;
  Digests seen_;
};

Result<void> compare(EdgeComparison& comparison, const model::Manifest& manifest) {
  TRY(comparison.read());
  if (manifest.config) {
    TRY(comparison.blob(*manifest.config));
  }
  for (const model::Descriptor& layer : manifest.layers) {
    TRY(comparison.blob(layer));
  }
  std::int64_t position = 0;
  for (const model::Descriptor& child : manifest.manifests) {
    TRY(comparison.child(child, position++));
  }
  return {};
}

struct Place {
  RepositoryId repository;
  ProjectId project;
};

Result<bool> restore_child(db::WriteSession& session, const MissingEdge& edge, const Place& place) {
  const auto child = TRY(session.first(
      "SELECT id FROM artifact WHERE repository_id = ? AND digest = ?",
      {place.repository, edge.digest}, [](const db::Row& row) { return row.id<ArtifactId>(0); }));
  if (!child) {
    return false;
  }
  const auto present =
      TRY(session.first("SELECT 1 FROM artifact_child WHERE artifact_id = ? AND child_id = ?",
                        {edge.artifact, *child}, [](const db::Row&) { return true; }));
  if (!present) {
    TRY(
        session.execute("INSERT INTO artifact_child (artifact_id, child_id, position, descriptor) "
                        "VALUES (?, ?, ?, ?)",
                        {edge.artifact, *child, edge.position, edge.descriptor}));
  }
  TRY(internal::relist_artifact(session, *child));
  return true;
}

/// The artifact could be pushed only while its repository held the blob, so it may hold it again.
Result<bool> restore_blob_edge(db::WriteSession& session, const MissingEdge& edge,
                               const Place& place) {
  const auto digest = TRY(model::Digest::parse(edge.digest));
  const auto held = TRY(internal::find_held(session, digest));
  if (!held) {
    return false;
  }
  TRY(session.execute(
      "INSERT INTO repository_blob (repository_id, blob_id, project_id, leased_until) SELECT "
      "?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM repository_blob WHERE repository_id = ? AND "
      "blob_id = ?)",
      {place.repository, held->blob, place.project, session.now(), place.repository, held->blob}));
  TRY(session.execute(
      "UPDATE repository_blob SET condemned_at = NULL WHERE repository_id = ? AND blob_id = ? AND "
      "condemned_at IS NOT NULL",
      {place.repository, held->blob}));
  TRY(session.execute(
      "INSERT INTO artifact_blob (artifact_id, blob_id, repository_id) SELECT ?, ?, ? WHERE NOT "
      "EXISTS (SELECT 1 FROM artifact_blob WHERE artifact_id = ? AND blob_id = ?)",
      {edge.artifact, held->blob, place.repository, edge.artifact, held->blob}));
  // Without a charge: whether the ledger knew of it is seen when the project is recounted.
  TRY(session.execute(
      "INSERT INTO project_blob (project_id, blob_id) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM "
      "project_blob WHERE project_id = ? AND blob_id = ?)",
      {place.project, held->blob, place.project, held->blob}));
  return true;
}

}  // namespace

Result<std::vector<StoredManifest>> manifests_after(db::ReadSession& session, ManifestId after,
                                                    std::size_t count) {
  return session.all(
      "SELECT id, digest, media_type, size, bytes FROM manifest WHERE id > ? ORDER BY id LIMIT ?",
      {after, count}, [](const db::Row& row) {
        return StoredManifest{row.id<ManifestId>(0), std::string(row.text(1)),
                              std::string(row.text(2)), row.integer(3), std::string(row.text(4))};
      });
}

Result<EdgePage> missing_edges(db::ReadSession& session, const EdgeQuestion& question,
                               ArtifactId after, std::size_t count) {
  // A repository that is being deleted loses its edges before its artifacts.
  const auto owners = TRY(session.all(
      "SELECT a.id, a.repository_id, r.full_name, a.digest FROM artifact a JOIN repository r ON "
      "r.id = a.repository_id WHERE a.manifest_id = ? AND a.id > ? AND r.full_name < '~' ORDER BY "
      "a.id LIMIT ?",
      {question.manifest, after, count}, [](const db::Row& row) {
        return Owner{row.id<ArtifactId>(0), row.id<RepositoryId>(1),
                     fmt::format("{}@{}", row.text(2), row.text(3))};
      }));
  EdgePage page;
  for (const Owner& owner : owners) {
    EdgeComparison comparison(session, owner, question.sparse);
    TRY(compare(comparison, question.content));
    page.missing.insert(page.missing.end(), comparison.missing.begin(), comparison.missing.end());
  }
  if (owners.size() == count) {
    page.next = owners.back().id;
  }
  return page;
}

Result<bool> restore_edge(db::WriteSession& session, const MissingEdge& edge) {
  const auto place = TRY(session.first(
      "SELECT repository_id, project_id FROM artifact WHERE id = ?", {edge.artifact},
      [](const db::Row& row) { return Place{row.id<RepositoryId>(0), row.id<ProjectId>(1)}; }));
  if (!place) {
    return true;  // It was deleted meanwhile.
  }
  return edge.to_child ? restore_child(session, edge, *place)
                       : restore_blob_edge(session, edge, *place);
}

}  // namespace roadstead::registry
