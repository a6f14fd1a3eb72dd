#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/project_access.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/internal/quota.h"

namespace roadstead::registry::internal {

/// "SELECT <access columns>, <columns> FROM <access tables> <joins> WHERE p.name = ?": permission
/// and content in one read. Placeholders in this order: those of `columns`, the user id, those of
/// `joins`, the project's name. In it `r` is what kJoinRepository joins.
std::string access_query(std::string_view columns, std::string_view joins);
inline constexpr std::string_view kJoinRepository =
    "LEFT JOIN repository r ON r.project_id = p.id AND r.name = ?";
/// In it `q` is the quota of the project (internal/quota.h).
inline constexpr std::string_view kJoinQuota = "LEFT JOIN quota q ON q.project_id = p.id";
/// Index of the first column of `columns` above.
inline constexpr int kFirstColumn = auth::ProjectAccess::kColumnCount;

/// Where a permitted operation happens.
struct Place {
  ProjectId project;
  std::optional<RepositoryId> repository;  ///< Absent until the first need.
  std::int64_t artifact_count = 0;
  [[nodiscard]] bool visible() const { return repository.has_value() && artifact_count > 0; }
};
/// Reads and permits, in one statement. Errors: as permit().
Result<Place> find_place(db::ReadSession& session, const Caller& caller,
                         const model::RepositoryName& repository);
/// With what fits there.
struct PlaceWithRoom {
  Place place;
  Room room;
};
Result<PlaceWithRoom> find_place_with_room(db::ReadSession& session, const Caller& caller,
                                           const model::RepositoryName& repository);
/// As above; kNotFound + kRepository when there is no row (visible or not).
Result<Place> find_existing_place(db::ReadSession& session, const Caller& caller,
                                  const model::RepositoryName& repository);

/// One lock for all that changes the artifacts, tags and edges of a repository: a transaction that
/// holds it has them to itself (ADR 12). Returns what WriteSession::lock() does.
Result<bool> lock_repository(db::WriteSession& session, RepositoryId repository);
/// What a transaction goes on to do with a repository.
enum class Use : std::uint8_t {
  kHold,   ///< Put content into it: it must not go away meanwhile.
  kChange  ///< What needs lock_repository(), which it then has.
};
/// The repository's row, made on first need; it stays invisible until it has an artifact. Errors:
/// kNotFound + kProject when the project is gone meanwhile.
Result<RepositoryId> ensure_repository(db::WriteSession& session, ProjectId project,
                                       const model::RepositoryName& repository, Use use);

/// The end of an empty repository: its row, with its open uploads and its lists.
Result<void> remove_repository_row(db::WriteSession& session, RepositoryId repository);

/// A repository being deleted keeps its row under a name that no request can say.
std::string tombstone_name(RepositoryId repository);

/// What content meets that is brought to a repository.
struct Landing {
  RepositoryId repository;
  bool unlimited = false;  ///< Whether the project is known to have no limit.
  bool known = true;       ///< Whether there may be a blob of that digest already.
};
/// In one statement, which holds the repository as Use::kHold does. Nothing when its row is gone
/// or being deleted.
Result<std::optional<Landing>> land(db::WriteSession& session, RepositoryId repository,
                                    const model::Digest& digest);
/// By its name; the row is made on first need as by ensure_repository().
Result<Landing> land(db::WriteSession& session, ProjectId project,
                     const model::RepositoryName& repository, const model::Digest& digest);

}  // namespace roadstead::registry::internal
