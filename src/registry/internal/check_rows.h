#pragma once

#include <string>
#include <string_view>

#include "registry/check.h"

namespace roadstead::registry::internal {

/// What a row is, to call it by names that people know.
enum class RowKind {
  kArtifact,        ///< artifact
  kArtifactBlob,    ///< artifact, blob
  kArtifactChild,   ///< artifact, child
  kBlob,            ///< blob
  kManifest,        ///< manifest
  kProject,         ///< project
  kProjectBlob,     ///< project, blob
  kRepository,      ///< repository
  kRepositoryBlob,  ///< repository, blob
  kTag,             ///< tag
};
/// Names and digests of the row with this key; its number where a name is lost.
Result<std::string> describe_row(db::ReadSession& session, RowKind kind, std::int64_t first,
                                 std::int64_t second);

/// A walk whose statement answers, for up to LIMIT rows behind the cursor in their order: key,
/// second half of the key (0 when it has none), and whether the row is wrong.
struct Walk {
  RowKind kind;
  bool pairs = false;  ///< The key is two columns: placeholders first, second, count, else first,
                       ///< count.
  std::string_view sql;
};
Result<CheckPage> walk(db::ReadSession& session, const Walk& steps, const CheckCursor& after,
                       std::size_t count);

/// Content and repositories' holds on it that nothing keeps, and that no row of `review` will bring
/// before the collector: it would stay for good.
Result<CheckPage> unreviewed_holds(db::ReadSession& session, const CheckCursor& after,
                                   std::size_t count);
Result<CheckPage> unreviewed_artifacts(db::ReadSession& session, const CheckCursor& after,
                                       std::size_t count);
Result<CheckPage> unreviewed_blobs(db::ReadSession& session, const CheckCursor& after,
                                   std::size_t count);
Result<CheckPage> unreviewed_manifests(db::ReadSession& session, const CheckCursor& after,
                                       std::size_t count);
Result<bool> review_hold_again(db::WriteSession& session, const Disagreement& found);
Result<bool> review_artifact_again(db::WriteSession& session, const Disagreement& found);
Result<bool> review_blob_again(db::WriteSession& session, const Disagreement& found);
Result<bool> review_manifest_again(db::WriteSession& session, const Disagreement& found);

}  // namespace roadstead::registry::internal
