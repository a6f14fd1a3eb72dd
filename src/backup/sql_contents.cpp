#include <fmt/format.h>

#include "backup/internal/contents.h"

namespace roadstead::backup::internal {
namespace {

Error not_a_digest(std::string_view text) {
  return Error{Code::kInvalid,
               Subject::kBlob,
               fmt::format("the database names content that is no digest: {:.100}", text),
               {}};
}

/// Runs `visit` on each row that `make` turns into a T, and hands its failure on.
template <typename T, typename Make>
Result<void> each_as(db::ReadSession& session, std::string_view sql,
                     std::initializer_list<db::Param> params, Make&& make,
                     const std::function<Result<void>(const T&)>& visit) {
  Result<void> visited;
  TRY(session.each(sql, params, [&](const db::Row& row) {
    const auto digest = model::Digest::parse(row.text(0));
    visited = digest ? visit(make(*digest, row)) : Result<void>(not_a_digest(row.text(0)));
    return visited.has_value();
  }));
  return visited;
}

}  // namespace

Result<void> each_required(db::ReadSession& session,
                           const std::function<Result<void>(const RequiredBlob&)>& visit) {
  return each_as<RequiredBlob>(
      session, "SELECT digest, size, location FROM blob ORDER BY digest", {},
      [](const model::Digest& digest, const db::Row& row) {
        return RequiredBlob{digest, row.integer(1), storage::Location{std::string(row.text(2))}};
      },
      visit);
}

Result<std::string> content_in_database(db::ReadSession& session, const model::Digest& digest) {
  auto bytes = TRY(session.first(
      "SELECT c.bytes FROM blob b JOIN blob_content c ON c.blob_id = b.id WHERE b.digest = ?",
      {digest.to_string()}, [](const db::Row& row) { return std::string(row.text(0)); }));
  if (!bytes || model::Digest::of(*bytes, digest.algorithm()) != digest) {
    return Error{Code::kDigestMismatch, Subject::kBlob,
                 "the database has lost or damaged " + digest.to_string(), digest.to_string()};
  }
  return std::move(*bytes);
}

Result<void> each_manifest(db::ReadSession& session,
                           const std::function<Result<void>(const StoredManifest&)>& visit) {
  return each_as<StoredManifest>(
      session, "SELECT digest, bytes FROM manifest ORDER BY id", {},
      [](const model::Digest& digest, const db::Row& row) {
        return StoredManifest{digest, row.text(1)};
      },
      visit);
}

Result<void> each_repository(db::ReadSession& session,
                             const std::function<Result<void>(const ExportedRepository&)>& visit) {
  Result<void> visited;
  // '~' begins the name of what is being deleted.
  TRY(
      session.each("SELECT id, full_name FROM repository WHERE listed = 1 AND full_name < '~' "
                   "ORDER BY full_name",
                   {}, [&](const db::Row& row) {
                     visited = visit({row.id<RepositoryId>(0), std::string(row.text(1))});
                     return visited.has_value();
                   }));
  return visited;
}

Result<void> each_layer(db::ReadSession& session, RepositoryId repository,
                        const std::function<Result<void>(const model::Digest&)>& visit) {
  return each_as<model::Digest>(
      session,
      "SELECT b.digest FROM repository_blob rb JOIN blob b ON b.id = rb.blob_id WHERE "
      "rb.repository_id = ? AND rb.condemned_at IS NULL",
      {repository}, [](const model::Digest& digest, const db::Row&) { return digest; }, visit);
}

Result<void> each_revision(db::ReadSession& session, RepositoryId repository,
                           const std::function<Result<void>(const StoredManifest&)>& visit) {
  return each_as<StoredManifest>(
      session,
      "SELECT m.digest, m.bytes FROM artifact a JOIN manifest m ON m.id = a.manifest_id WHERE "
      "a.repository_id = ? ORDER BY a.id",
      {repository},
      [](const model::Digest& digest, const db::Row& row) {
        return StoredManifest{digest, row.text(1)};
      },
      visit);
}

Result<void> each_tag(db::ReadSession& session, RepositoryId repository,
                      const std::function<Result<void>(const ExportedTag&)>& visit) {
  return each_as<ExportedTag>(
      session,
      "SELECT a.digest, t.name FROM tag t JOIN artifact a ON a.id = t.artifact_id WHERE "
      "t.repository_id = ? ORDER BY t.name",
      {repository},
      [](const model::Digest& digest, const db::Row& row) {
        return ExportedTag{std::string(row.text(1)), digest};
      },
      visit);
}

Result<void> drop_unfinished(db::WriteSession& session) {
  TRY(session.execute("DELETE FROM upload", {}));
  TRY(session.execute("DELETE FROM collection_hold", {}));
  return {};
}

Result<void> relocate(db::WriteSession& session, const Relocation& relocation) {
  TRY(session.execute("UPDATE blob SET location = ? WHERE digest = ?",
                      {relocation.location, relocation.digest}));
  return {};
}

}  // namespace roadstead::backup::internal
