#include <fmt/format.h>

#include "registry/blob_content.h"
#include "registry/internal/place.h"
#include "registry/pull.h"

namespace roadstead::registry {
namespace {

using internal::access_query;
using internal::kFirstColumn;
using internal::kJoinRepository;

const std::string& manifest_query(bool by_tag) {
  static constexpr std::string_view kColumns =
      "r.id, r.artifact_count, a.id, a.digest, f.media_type, f.size, a.condemned_at, "
      "CASE WHEN f.size <= ? THEN f.bytes END";
  static const std::string kByTag = access_query(
      kColumns, fmt::format("{} LEFT JOIN tag t ON t.repository_id = r.id AND t.name = ? "
                            "LEFT JOIN artifact a ON a.id = t.artifact_id "
                            "LEFT JOIN manifest f ON f.id = a.manifest_id",
                            kJoinRepository));
  static const std::string kByDigest = access_query(
      kColumns, fmt::format("{} LEFT JOIN artifact a ON a.repository_id = r.id AND a.digest = ? "
                            "LEFT JOIN manifest f ON f.id = a.manifest_id",
                            kJoinRepository));
  return by_tag ? kByTag : kByDigest;
}

const std::string& blob_query() {
  // A blob that is a file pays nothing for those that are rows.
  static const std::string kSql = access_query(
      fmt::format("b.id, b.size, b.location, rb.blob_id, rb.condemned_at, CASE WHEN b.location = "
                  "'{}' AND b.size <= ? THEN (SELECT c.bytes FROM blob_content c WHERE c.blob_id = "
                  "rb.blob_id) END",
                  kInlineLocation),
      fmt::format("{} LEFT JOIN blob b ON b.digest = ? AND b.damaged_at IS NULL LEFT JOIN "
                  "repository_blob rb "
                  "ON rb.repository_id = r.id AND rb.blob_id = b.id",
                  kJoinRepository));
  return kSql;
}

/// Whether something condemned then is too old to be promised to a client (see Probe).
bool fading(const db::Row& row, int column, const Probe& probe, db::ReadSession& session) {
  return probe.head && !row.is_null(column) && row.time(column) + probe.grace / 2 <= session.now();
}

Error manifest_unknown(const model::RepositoryName& repository, const model::Reference& reference) {
  const bool digest = std::holds_alternative<model::Digest>(reference);
  const std::string text = model::to_string(reference);
  return Error{
      Code::kNotFound, Subject::kManifest,
      fmt::format("artifact {}{}{} not found", repository.to_string(), digest ? "@" : ":", text),
      text};
}

}  // namespace

Result<FoundManifest> find_manifest(db::ReadSession& session, const Caller& caller,
                                    const model::RepositoryName& repository,
                                    const model::Reference& reference, const Probe& probe) {
  const auto* tag = std::get_if<model::Tag>(&reference);
  const std::string& text =
      tag != nullptr ? tag->to_string() : std::get<model::Digest>(reference).to_string();
  FoundManifest found;
  bool repository_visible = false;
  bool present = false;
  const auto access =
      TRY(session.first(manifest_query(tag != nullptr),
                        {probe.head ? -1 : probe.bytes_max, caller.principal.user,
                         repository.path(), text, repository.project()},
                        [&](const db::Row& row) {
                          constexpr int kAt = kFirstColumn;
                          repository_visible = !row.is_null(kAt) && row.integer(kAt + 1) > 0;
                          present = !row.is_null(kAt + 2) && !fading(row, kAt + 6, probe, session);
                          if (present) {
                            found.repository = row.id<RepositoryId>(kAt);
                            found.artifact = row.id<ArtifactId>(kAt + 2);
                            found.digest = row.text(kAt + 3);
                            found.media_type = row.text(kAt + 4);
                            found.size = row.integer(kAt + 5);
                            if (!row.is_null(kAt + 7)) {
                              found.bytes.emplace(row.text(kAt + 7));
                            }
                          }
                          return auth::ProjectAccess::from_row(row);
                        }));
  TRY(permit(caller, access, repository));
  if (!repository_visible) {
    return repository_unknown(repository);
  }
  if (!present) {
    return manifest_unknown(repository, reference);
  }
  return found;
}

Result<FoundBlob> find_blob(db::ReadSession& session, const Caller& caller,
                            const model::RepositoryName& repository, const model::Digest& digest,
                            const Probe& probe) {
  FoundBlob found;
  bool present = false;
  const auto access =
      TRY(session.first(blob_query(),
                        {probe.head ? -1 : probe.bytes_max, caller.principal.user,
                         repository.path(), digest.to_string(), repository.project()},
                        [&](const db::Row& row) {
                          constexpr int kAt = kFirstColumn;
                          present = !row.is_null(kAt + 3) && !fading(row, kAt + 4, probe, session);
                          if (present) {
                            found.blob = row.id<BlobId>(kAt);
                            found.size = row.integer(kAt + 1);
                            found.location.value = row.text(kAt + 2);
                            if (!row.is_null(kAt + 5)) {
                              found.bytes.emplace(row.text(kAt + 5));
                            }
                          }
                          return auth::ProjectAccess::from_row(row);
                        }));
  TRY(permit(caller, access, repository));
  if (!present) {
    return Error{Code::kNotFound, Subject::kBlob, "blob unknown to registry", digest.to_string()};
  }
  return found;
}

}  // namespace roadstead::registry
