#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/list_query.h"
#include "auth/project_access.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"

namespace roadstead::registry {

inline constexpr std::int64_t kNamesPageMax = 10'000;
inline constexpr std::int64_t kReferrersPageMax = 100;

/// A page of names in byte order. `more` says that a next page exists after the last one.
struct NamePage {
  std::vector<std::string> names;
  bool more = false;
};

/// Tags after `last`, at most min(n, kNamesPageMax). Errors: as permit(); kNotFound + kRepository.
Result<NamePage> list_tags(db::ReadSession& session, const Caller& caller,
                           const model::RepositoryName& repository, std::int64_t n,
                           std::string_view last);

/// Full names of all repositories with artifacts, in one byte order. Whether the caller may see
/// them is not checked here: auth::UserAccess::may_list_catalog().
Result<NamePage> list_catalog(db::ReadSession& session, std::int64_t n, std::string_view last);

struct Referrer {
  ArtifactId artifact;
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;
  std::string artifact_type;  ///< Empty: to be left out.
  std::string annotations;    ///< A JSON object, or empty.
};
struct ReferrerPage {
  std::vector<Referrer> referrers;
  std::optional<ArtifactId> next;  ///< Ask for what comes after it; absent at the end.
  std::int64_t total = 0;          ///< Whatever the filter; stops counting at 10,000.
};
/// Artifacts with this subject, oldest first. An unknown repository has none. Errors: as permit().
Result<ReferrerPage> list_referrers(db::ReadSession& session, const Caller& caller,
                                    const model::RepositoryName& repository,
                                    const model::Digest& subject, std::string_view artifact_type,
                                    ArtifactId after);

// For the REST API, which checks the permission itself (auth::ProjectAccess).

struct RepositoryRow {
  RepositoryId id;
  ProjectId project;
  std::string name;  ///< "project/path"
  std::string description;
  std::int64_t artifact_count = 0;
  std::int64_t pull_count = 0;
  Time creation_time{};
  Time update_time{};
};
/// Filters and sort keys: name, pull_count, creation_time, update_time,
/// repository_id. Errors: kInvalid + kRequest for a value that does not fit.
Result<auth::Page<RepositoryRow>> list_repositories(db::ReadSession& session, ProjectId project,
                                                    const auth::ListQuery& query);
/// In every project that `principal` may list repositories of.
Result<auth::Page<RepositoryRow>> list_all_repositories(db::ReadSession& session,
                                                        const auth::Principal& principal,
                                                        bool sysadmin,
                                                        const auth::ListQuery& query);
Result<std::optional<RepositoryRow>> get_repository(db::ReadSession& session, ProjectId project,
                                                    std::string_view path);
/// False when there is none.
Result<bool> set_description(db::WriteSession& session, ProjectId project, std::string_view path,
                             std::string_view description);
/// Number of repositories with artifacts.
Result<std::int64_t> count_repositories(db::ReadSession& session, ProjectId project);

struct TagRow {
  std::int64_t id = 0;
  std::string name;
  Time push_time{};
  std::optional<Time> pull_time;
};
struct ChildRow {
  ArtifactId child;
  std::string digest;
  std::string descriptor;  ///< The JSON object of the index' descriptor.
};
struct ArtifactRow {
  ArtifactId id;
  RepositoryId repository;
  ProjectId project;
  std::string digest;
  std::string manifest_media_type;
  std::string media_type;  ///< Harbor's: the config's media type for images, else the manifest's.
  std::string artifact_type;
  std::string type;  ///< "IMAGE", "CHART", …
  std::string annotations;
  std::string extra_attributes;
  std::optional<std::string> subject_digest;
  std::int64_t size = 0;
  Time push_time{};
  std::optional<Time> pull_time;
  std::vector<TagRow> tags;        ///< At most kTagsPerArtifactMax, by name.
  std::vector<ChildRow> children;  ///< In the order of the index.
};
inline constexpr std::int64_t kTagsPerArtifactMax = 1'000;

/// What Harbor lists: no untagged child of an index, nothing attached to an artifact that is here.
/// Filters and sort keys: digest, type, media_type, artifact_type, size, push_time, pull_time, and
/// the filter "tags" (exact, fuzzy, "nil", "*").
Result<auth::Page<ArtifactRow>> list_artifacts(db::ReadSession& session, RepositoryId repository,
                                               const auth::ListQuery& query);
Result<std::optional<ArtifactRow>> get_artifact(db::ReadSession& session, RepositoryId repository,
                                                const model::Reference& reference);
/// Tags of one artifact.
Result<auth::Page<TagRow>> list_artifact_tags(db::ReadSession& session, ArtifactId artifact,
                                              const auth::ListQuery& query);

}  // namespace roadstead::registry
