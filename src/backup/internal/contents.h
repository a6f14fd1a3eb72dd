#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "db/database.h"
#include "model/digest.h"
#include "registry/blob_content.h"
#include "storage/blob_store.h"

namespace roadstead::backup::internal {

/// Bytes at this location lie in a row of the database and come along with its copy.
inline constexpr std::string_view kInDatabase = registry::kInlineLocation;

/// Content that a database refers to.
struct RequiredBlob {
  model::Digest digest;
  std::int64_t size = 0;
  storage::Location location;
  [[nodiscard]] bool in_database() const { return location.value == kInDatabase; }
};
/// Every blob row in the order of digests, until `visit` fails. Errors: also kInvalid + kBlob when
/// a row is not what it should be.
Result<void> each_required(db::ReadSession& session,
                           const std::function<Result<void>(const RequiredBlob&)>& visit);

/// The bytes of a blob that is a row.
Result<std::string> content_in_database(db::ReadSession& session, const model::Digest& digest);

/// A manifest's digest and bytes, for every manifest.
struct StoredManifest {
  model::Digest digest;
  std::string_view bytes;
};
Result<void> each_manifest(db::ReadSession& session,
                           const std::function<Result<void>(const StoredManifest&)>& visit);

/// What a repository serves, for the export.
struct ExportedRepository {
  RepositoryId id;
  std::string name;
};
Result<void> each_repository(db::ReadSession& session,
                             const std::function<Result<void>(const ExportedRepository&)>& visit);
Result<void> each_layer(db::ReadSession& session, RepositoryId repository,
                        const std::function<Result<void>(const model::Digest&)>& visit);
Result<void> each_revision(db::ReadSession& session, RepositoryId repository,
                           const std::function<Result<void>(const StoredManifest&)>& visit);
struct ExportedTag {
  std::string name;
  model::Digest digest;
};
Result<void> each_tag(db::ReadSession& session, RepositoryId repository,
                      const std::function<Result<void>(const ExportedTag&)>& visit);

/// What must not be carried over into a restored database: uploads whose staged bytes were not
/// copied, and the hold under which the copy was made.
Result<void> drop_unfinished(db::WriteSession& session);
struct Relocation {
  std::string digest;
  std::string location;
};
Result<void> relocate(db::WriteSession& session, const Relocation& relocation);

}  // namespace roadstead::backup::internal
