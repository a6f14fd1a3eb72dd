#include <fmt/format.h>

#include "json/json.h"
#include "registry/internal/lists.h"
#include "registry/internal/place.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/remover.h"
#include "registry/remove.h"

namespace roadstead::registry {
namespace {

using internal::Holder;
using internal::Remover;

constexpr int kPagesMax = 100'000;
constexpr std::int64_t kBlobsPerPage = 500;

struct Doomed {
  Holder holder;
  std::string name;           ///< What it was called.
  std::string operator_name;  ///< Who deletes it.
  /// How long its content can still be restored.
  std::chrono::seconds grace{0};
};

/// First transaction: the row stays under a name that nobody can say, invisible, and the review row
/// sees to it that somebody finishes after a crash.
Result<void> bury(db::WriteSession& session, const Doomed& doomed) {
  const std::string tombstone = internal::tombstone_name(doomed.holder.repository);
  const std::int64_t changed =
      TRY(session.execute("UPDATE repository SET artifact_count = 0 WHERE id = ? AND full_name = ?",
                          {doomed.holder.repository, doomed.name}));
  if (changed == 0) {
    return Error{Code::kNotFound, Subject::kRepository,
                 fmt::format("repository {} not found", doomed.name), doomed.name};
  }
  // Lists know it by its name, so it leaves them before the name goes.
  TRY(internal::relist_repository(session, doomed.holder.repository));
  TRY(session.execute("UPDATE repository SET name = ?, full_name = ?, description = ? WHERE id = ?",
                      {tombstone, tombstone, doomed.name, doomed.holder.repository}));
  TRY(internal::review(session, internal::Review::kRepository, doomed.holder.repository,
                       doomed.holder.repository.value, session.now()));
  json::Writer event;
  event.begin_object();
  event.member("project_id", doomed.holder.project.value);
  event.member("repository", doomed.name);
  event.member("operator", doomed.operator_name);
  event.end_object();
  return internal::emit_event(session, "DELETE_REPOSITORY", event.take());
}

/// One page of artifacts. True when none is left.
Result<bool> remove_artifacts(db::WriteSession& session, const Doomed& doomed) {
  Remover remover(session, {doomed.holder, doomed.name, doomed.operator_name, true});
  while (!remover.exhausted()) {
    const auto next = TRY(session.first(
        "SELECT id FROM artifact WHERE repository_id = ? ORDER BY push_time LIMIT 1",
        {doomed.holder.repository}, [](const db::Row& row) { return row.id<ArtifactId>(0); }));
    if (!next) {
      return true;
    }
    TRY(remover.remove(*next));
  }
  return false;
}

/// One page of what the repository could read, and the row itself at the end: true then.
Result<bool> remove_holdings(db::WriteSession& session, const Doomed& doomed) {
  const Holder& holder = doomed.holder;
  const auto blobs = TRY(session.all(
      "SELECT blob_id FROM repository_blob WHERE repository_id = ? LIMIT ?",
      {holder.repository, kBlobsPerPage}, [](const db::Row& row) { return row.id<BlobId>(0); }));
  for (const BlobId blob : blobs) {
    TRY(session.execute("DELETE FROM repository_blob WHERE repository_id = ? AND blob_id = ?",
                        {holder.repository, blob}));
    TRY(internal::uncount_blob(session, holder.project, blob, true));
    TRY(internal::review(session, internal::Review::kBlob, RepositoryId{}, blob.value,
                         session.now() + doomed.grace));
  }
  if (!blobs.empty()) {
    return false;
  }
  TRY(internal::remove_repository_row(session, holder.repository));
  return true;
}

Result<bool> still_invisible(db::ReadSession& session, RepositoryId repository) {
  const auto count =
      TRY(session.first("SELECT artifact_count FROM repository WHERE id = ?", {repository},
                        [](const db::Row& row) { return row.integer(0); }));
  return count == 0;
}

Result<void> finish(db::Database& database, const Doomed& doomed) {
  for (int page = 0; page < kPagesMax; ++page) {
    const auto remove_page = [&](db::WriteSession& session) -> Result<bool> {
      TRY(internal::lock_repository(session, doomed.holder.repository));
      if (!TRY(remove_artifacts(session, doomed))) {
        return false;
      }
      return remove_holdings(session, doomed);
    };
    const bool done = TRY(database.write(remove_page));
    if (done) {
      return {};
    }
  }
  return Error{Code::kInternal, Subject::kRepository, "the deletion does not come to an end",
               doomed.name};
}

}  // namespace

Result<void> delete_repository(db::Database& database, const Options& options, const Caller& caller,
                               const model::RepositoryName& repository) {
  const internal::Place place = TRY(database.read(
      [&](db::ReadSession& session) { return internal::find_place(session, caller, repository); }));
  if (!place.visible()) {
    return repository_unknown(repository);
  }
  const Doomed doomed{Holder{place.project, *place.repository}, repository.to_string(),
                      caller.principal.name, options.grace};
  TRY(database.write([&](db::WriteSession& session) { return bury(session, doomed); }));
  return finish(database, doomed);
}

Result<void> finish_deletions(db::Database& database, const Options& options, std::size_t count) {
  const auto buried = TRY(database.read([&](db::ReadSession& session) {
    return session.all(
        "SELECT project_id, id, description FROM repository WHERE full_name >= '~' AND full_name < "
        "'~~' ORDER BY full_name LIMIT ?",
        {count}, [&](const db::Row& row) {
          return Doomed{Holder{row.id<ProjectId>(0), row.id<RepositoryId>(1)},
                        std::string(row.text(2)),
                        {},
                        options.grace};
        });
  }));
  for (const Doomed& doomed : buried) {
    TRY(finish(database, doomed));
  }
  return {};
}

Result<bool> has_repositories(db::ReadSession& session, ProjectId project) {
  const auto any = TRY(
      session.first("SELECT 1 FROM repository WHERE project_id = ? AND artifact_count > 0 LIMIT 1",
                    {project}, [](const db::Row&) { return true; }));
  return any.value_or(false);
}

Result<void> empty_project(db::Database& database, ProjectId project) {
  const auto next = [&](db::ReadSession& session) {
    return session.first(
        "SELECT id FROM repository WHERE project_id = ? AND artifact_count = 0 "
        "LIMIT 1",
        {project}, [](const db::Row& row) { return row.id<RepositoryId>(0); });
  };
  for (int page = 0; page < kPagesMax; ++page) {
    const auto repository = TRY(database.read(next));
    if (!repository) {
      return {};
    }
    const auto remove_page = [&](db::WriteSession& session) -> Result<bool> {
      const Doomed doomed{Holder{project, *repository}, {}, {}, {}};
      TRY(internal::lock_repository(session, *repository));
      if (!TRY(still_invisible(session, *repository))) {
        return true;
      }
      if (!TRY(remove_artifacts(session, doomed))) {
        return false;
      }
      return remove_holdings(session, doomed);
    };
    TRY(database.write(remove_page));
  }
  return Error{Code::kInternal, Subject::kProject, "the project does not become empty", {}};
}

Result<void> remove_invisible(db::WriteSession& session, ProjectId project) {
  const auto left = TRY(session.first("SELECT 1 FROM repository WHERE project_id = ? LIMIT 1",
                                      {project}, [](const db::Row&) { return true; }));
  if (left) {
    return Error{Code::kUnavailable,
                 Subject::kProject,
                 "somebody is pushing into the project: try again",
                 {}};
  }
  TRY(session.execute("DELETE FROM upload WHERE project_id = ?", {project}));
  TRY(auth::drop_list(session, internal::repositories_of(project)));
  TRY(auth::drop_list(session, internal::repositories_by_name_of(project)));
  TRY(session.execute("DELETE FROM project_blob WHERE project_id = ?", {project}));
  TRY(session.execute("DELETE FROM quota_delta WHERE project_id = ?", {project}));
  return {};
}

}  // namespace roadstead::registry
