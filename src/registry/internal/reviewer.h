#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "registry/collect.h"
#include "registry/internal/content.h"
#include "registry/options.h"

namespace roadstead::registry::internal {

/// One row of `review`.
struct Question {
  std::int64_t id = 0;
  std::string kind;
  RepositoryId repository;
  std::int64_t object = 0;
  Time due{};
};

/// What decides over a repository's hold on a blob.
struct Hold {
  ProjectId project;
  bool needed = false;  ///< An artifact of the repository refers to it.
  Time leased_until;
  std::optional<Time> condemned_at;
};
Result<std::optional<Hold>> read_hold(db::ReadSession& session, RepositoryId repository,
                                      BlobId blob);

/// What decides over an artifact.
struct Standing {
  ProjectId project;
  RepositoryId repository;
  std::string repository_name;
  std::string digest;
  bool kept = false;  ///< By a tag, a parent, or its subject.
  Time leased_until;
  std::optional<Time> condemned_at;
};
Result<std::optional<Standing>> read_standing(db::ReadSession& session, ArtifactId artifact);

/// Answers questions inside one transaction. The rule is the same for all: what is needed stays,
/// and is not condemned any more; what has a live lease waits for the question at its end; the rest
/// is condemned now and removed by the question a grace period later.
class Reviewer {
 public:
  Reviewer(db::WriteSession& session, const Options& options, bool purge)
      : session_(session), options_(options), purge_(purge) {}

  Result<void> answer(const Question& question);
  Result<bool> condemn_artifact(ArtifactId artifact);
  /// About how many rows it took so far.
  [[nodiscard]] std::int64_t cost() const { return cost_; }
  [[nodiscard]] Collected take() { return std::move(collected_); }

 private:
  Result<void> lock_blob_of_removable(RepositoryId repository, BlobId blob);
  Result<void> review_hold(RepositoryId repository, BlobId blob);
  Result<void> condemn_hold(RepositoryId repository, BlobId blob, const Hold& hold);
  Result<void> remove_hold(RepositoryId repository, BlobId blob, const Hold& hold);
  Result<void> review_artifact(ArtifactId artifact);
  Result<void> remove_artifact(ArtifactId artifact, const Standing& standing);
  Result<void> review_blob(BlobId blob);
  Result<void> review_manifest(ManifestId manifest);
  Result<void> drop_repository_if_empty(RepositoryId repository);
  /// Whether something condemned then may go now; asks again later when not.
  [[nodiscard]] bool grace_is_over(Time condemned_at);

  db::WriteSession& session_;
  const Options& options_;
  const bool purge_;
  std::int64_t cost_ = 0;
  Collected collected_;
};

}  // namespace roadstead::registry::internal
