#include <fmt/format.h>

#include "registry/internal/content.h"
#include "registry/internal/lists.h"
#include "registry/internal/place.h"

namespace roadstead::registry::internal {
namespace {

/// Long enough for a first push to have ended.
constexpr std::chrono::hours kFirstLook{24};

constexpr std::string_view kPlaceColumns = "r.id, r.artifact_count";
constexpr int kPlaceColumnCount = 2;

template <typename F>
Result<Place> place_by(db::ReadSession& session, std::string_view sql, const Caller& caller,
                       const model::RepositoryName& repository, F&& more) {
  Place place;
  const auto access =
      TRY(session.first(sql, {caller.principal.user, repository.path(), repository.project()},
                        [&](const db::Row& row) {
                          if (!row.is_null(kFirstColumn)) {
                            place.repository = row.id<RepositoryId>(kFirstColumn);
                            place.artifact_count = row.integer(kFirstColumn + 1);
                          }
                          more(row);
                          return auth::ProjectAccess::from_row(row);
                        }));
  TRY(permit(caller, access, repository));
  place.project = access->project();
  return place;
}

std::string landing_query(std::string_view condition) {
  // Locked is the repository only; whoever relies on a blob locks that.
  return fmt::format(
      "SELECT r.id, r.name, {}, (SELECT b.id FROM blob b WHERE b.digest = ?) FROM repository r "
      "WHERE {} FOR KEY SHARE",
      kLimitColumn, condition);
}

std::optional<Landing> landing_from(const db::Row& row) {
  if (row.text(1).starts_with('~')) {
    return std::nullopt;
  }
  return Landing{row.id<RepositoryId>(0), is_unlimited(row, 2), !row.is_null(3)};
}

}  // namespace

std::string access_query(std::string_view columns, std::string_view joins) {
  std::string sql("SELECT ");
  sql.append(auth::ProjectAccess::kColumns).append(", ").append(columns);
  sql.append(" FROM ").append(auth::ProjectAccess::kFrom).append(" ").append(joins);
  return sql.append(" WHERE p.name = ?");
}

Result<Place> find_place(db::ReadSession& session, const Caller& caller,
                         const model::RepositoryName& repository) {
  static const std::string kSql = access_query(kPlaceColumns, kJoinRepository);
  return place_by(session, kSql, caller, repository, [](const db::Row&) {});
}

Result<PlaceWithRoom> find_place_with_room(db::ReadSession& session, const Caller& caller,
                                           const model::RepositoryName& repository) {
  static const std::string kSql = access_query(fmt::format("{}, {}", kPlaceColumns, room_columns()),
                                               fmt::format("{} {}", kJoinRepository, kJoinQuota));
  Room room;
  const Place place = TRY(place_by(session, kSql, caller, repository, [&](const db::Row& row) {
    room = room_from(row, kFirstColumn + kPlaceColumnCount);
  }));
  return PlaceWithRoom{place, room};
}

Result<Place> find_existing_place(db::ReadSession& session, const Caller& caller,
                                  const model::RepositoryName& repository) {
  Place place = TRY(find_place(session, caller, repository));
  if (!place.repository) {
    return repository_unknown(repository);
  }
  return place;
}

Result<bool> lock_repository(db::WriteSession& session, RepositoryId repository) {
  return session.lock("SELECT id FROM repository WHERE id = ? FOR NO KEY UPDATE", {repository});
}

Result<RepositoryId> ensure_repository(db::WriteSession& session, ProjectId project,
                                       const model::RepositoryName& repository, Use use) {
  constexpr std::string_view kHold =
      "SELECT id FROM repository WHERE project_id = ? AND name = ? FOR KEY SHARE";
  constexpr std::string_view kChange =
      "SELECT id FROM repository WHERE project_id = ? AND name = ? FOR NO KEY UPDATE";
  const auto found =
      TRY(session.first(use == Use::kHold ? kHold : kChange, {project, repository.path()},
                        [](const db::Row& row) { return row.id<RepositoryId>(0); }));
  if (found) {
    return *found;
  }
  const auto exists = TRY(session.first("SELECT 1 FROM project WHERE id = ?", {project},
                                        [](const db::Row&) { return true; }));
  if (!exists) {
    return Error{Code::kNotFound, Subject::kProject,
                 "project " + std::string(repository.project()) + " not found",
                 std::string(repository.project())};
  }
  const Time now = session.now();
  const std::int64_t id = TRY(session.insert(
      "INSERT INTO repository (project_id, name, full_name, description, artifact_count, "
      "pull_count, creation_time, update_time) VALUES (?, ?, ?, '', 0, 0, ?, ?)",
      {project, repository.path(), repository.to_string(), now, now}));
  // If nothing comes of it, somebody must see to the row.
  TRY(review(session, Review::kRepository, RepositoryId{id}, id, now + kFirstLook));
  return RepositoryId{id};
}

Result<void> remove_repository_row(db::WriteSession& session, RepositoryId repository) {
  TRY(session.execute("DELETE FROM upload WHERE repository_id = ?", {repository}));
  TRY(auth::drop_list(session, artifacts_of(repository)));
  TRY(session.execute("DELETE FROM repository WHERE id = ?", {repository}));
  return {};
}

std::string tombstone_name(RepositoryId repository) {
  return "~" + std::to_string(repository.value);
}

Result<std::optional<Landing>> land(db::WriteSession& session, RepositoryId repository,
                                    const model::Digest& digest) {
  static const std::string kSql = landing_query("r.id = ?");
  const auto found = TRY(session.first(kSql, {digest.to_string(), repository}, landing_from));
  return found ? *found : std::nullopt;
}

Result<Landing> land(db::WriteSession& session, ProjectId project,
                     const model::RepositoryName& repository, const model::Digest& digest) {
  static const std::string kSql = landing_query("r.project_id = ? AND r.name = ?");
  const auto found =
      TRY(session.first(kSql, {digest.to_string(), project, repository.path()}, landing_from));
  if (found && *found) {
    return **found;
  }
  return Landing{TRY(ensure_repository(session, project, repository, Use::kHold))};
}

}  // namespace roadstead::registry::internal
