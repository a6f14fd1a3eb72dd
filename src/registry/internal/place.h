#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/project_access.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/reference.h"
#include "registry/caller.h"

namespace roadstead::registry::internal {

/// "SELECT <access columns>, <columns> FROM <access tables> <joins> WHERE p.name = ?": permission
/// and content in one read. Placeholders in this order: those of `columns`, the user id, those of
/// `joins`, the project's name. In it `r` is what kJoinRepository joins.
std::string access_query(std::string_view columns, std::string_view joins);
inline constexpr std::string_view kJoinRepository =
    "LEFT JOIN repository r ON r.project_id = p.id AND r.name = ?";
/// Index of the first column of `columns` above.
inline constexpr int kFirstColumn = auth::ProjectAccess::kColumnCount;

/// Where a permitted operation happens.
struct Place {
  ProjectId project;
  std::optional<RepositoryId> repository;  ///< Absent until the first need.
  std::int64_t artifact_count = 0;
  [[nodiscard]] bool visible() const { return repository.has_value() && artifact_count > 0; }
};
/// Reads and permits. Errors: as permit().
Result<Place> find_place(db::ReadSession& session, const Caller& caller,
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
/// False when the row is gone or being deleted; true holds for the rest of the transaction.
Result<bool> hold_usable(db::WriteSession& session, RepositoryId repository);

}  // namespace roadstead::registry::internal
