#include "registry/remove.h"

#include <fmt/format.h>

#include "json/json.h"
#include "registry/internal/lists.h"
#include "registry/internal/place.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/remover.h"

namespace roadstead::registry {
namespace {

using internal::Holder;
using internal::Place;
using internal::Remover;

/// Transactions that one request may take; more means that something is wrong.
constexpr int kPagesMax = 10'000;

Error manifest_unknown(const model::RepositoryName& repository, const model::Reference& reference) {
  const bool digest = std::holds_alternative<model::Digest>(reference);
  const std::string text = model::to_string(reference);
  return Error{
      Code::kNotFound, Subject::kManifest,
      fmt::format("artifact {}{}{} not found", repository.to_string(), digest ? "@" : ":", text),
      text};
}

Result<std::optional<ArtifactId>> find_artifact(db::ReadSession& session, RepositoryId repository,
                                                const model::Reference& reference) {
  const auto id = [](const db::Row& row) { return row.id<ArtifactId>(0); };
  if (const auto* tag = std::get_if<model::Tag>(&reference)) {
    return session.first("SELECT artifact_id FROM tag WHERE repository_id = ? AND name = ?",
                         {repository, tag->to_string()}, id);
  }
  return session.first("SELECT id FROM artifact WHERE repository_id = ? AND digest = ?",
                       {repository, std::get<model::Digest>(reference).to_string()}, id);
}

/// kPrecondition while an index has the artifact as a child.
Result<void> refuse_child(db::ReadSession& session, ArtifactId artifact) {
  const auto parent = TRY(
      session.first("SELECT a.digest FROM artifact_child c JOIN artifact a ON a.id = c.artifact_id "
                    "WHERE c.child_id = ? LIMIT 1",
                    {artifact}, [](const db::Row& row) { return std::string(row.text(0)); }));
  if (parent) {
    return Error{Code::kPrecondition, Subject::kManifest,
                 fmt::format("the manifest is referenced by the index {}", *parent), *parent};
  }
  return {};
}

/// What one transaction of a deletion leaves for the next.
struct Progress {
  std::optional<ArtifactId> target;  ///< A tag counts as it was when the deletion began.
  bool done = false;                 ///< The target is gone.
  std::vector<ArtifactId> children;  ///< Loose children still to go then.
};

Result<void> collect_loose(Remover& remover, Progress& progress) {
  const auto more = TRY(remover.loose_children());
  progress.children.insert(progress.children.end(), more.begin(), more.end());
  return {};
}

/// Removes children as far as the budget goes; the others stay in `progress`.
Result<void> remove_children(Remover& remover, Progress& progress) {
  while (!progress.children.empty()) {
    if (!TRY(remover.remove(progress.children.back()))) {
      return {};
    }
    progress.children.pop_back();
    TRY(collect_loose(remover, progress));
  }
  return {};
}

Result<void> remove_rest(db::Database& database, const Remover::Scope& scope, Progress progress) {
  for (int page = 0; page < kPagesMax && !progress.children.empty(); ++page) {
    const auto remove_page = [&](db::WriteSession& session) -> Result<Progress> {
      TRY(internal::lock_repository(session, scope.holder.repository));
      Remover remover(session, scope);
      Progress next = progress;
      TRY(remove_children(remover, next));
      return next;
    };
    progress = TRY(database.write(remove_page));
  }
  return {};
}

}  // namespace

Result<void> delete_artifact(db::Database& database, const Options& /*options*/,
                             const Caller& caller, const model::RepositoryName& repository,
                             const model::Reference& reference) {
  const Place place = TRY(database.read([&](db::ReadSession& session) {
    return internal::find_existing_place(session, caller, repository);
  }));
  const Remover::Scope scope{Holder{place.project, *place.repository}, repository.to_string(),
                             caller.principal.name};
  Progress progress;
  for (int page = 0; page < kPagesMax && !progress.done; ++page) {
    const auto remove_page = [&](db::WriteSession& session) -> Result<Progress> {
      TRY(internal::lock_repository(session, *place.repository));
      Progress next = progress;
      if (!next.target) {
        next.target = TRY(find_artifact(session, *place.repository, reference));
      }
      if (!next.target) {
        return manifest_unknown(repository, reference);
      }
      TRY(refuse_child(session, *next.target));
      Remover remover(session, scope);
      next.done = TRY(remover.remove(*next.target));
      TRY(collect_loose(remover, next));
      if (next.done) {
        TRY(remove_children(remover, next));
      }
      return next;
    };
    progress = TRY(database.write(remove_page));
  }
  return remove_rest(database, scope, std::move(progress));
}

Result<void> delete_manifest(db::Database& database, const Options& options, const Caller& caller,
                             const model::RepositoryName& repository, const model::Digest& digest) {
  return delete_artifact(database, options, caller, repository, digest);
}

Result<void> delete_tag(db::Database& database, const Options& /*options*/, const Caller& caller,
                        const model::RepositoryName& repository, const model::Tag& tag) {
  const Place place = TRY(database.read([&](db::ReadSession& session) {
    return internal::find_existing_place(session, caller, repository);
  }));
  return database.write([&](db::WriteSession& session) -> Result<void> {
    struct Tagged {
      ArtifactId artifact;
      std::string digest;
    };
    TRY(internal::lock_repository(session, *place.repository));
    const auto tagged = TRY(session.first(
        "SELECT t.artifact_id, a.digest FROM tag t JOIN artifact a ON a.id = t.artifact_id "
        "WHERE t.repository_id = ? AND t.name = ?",
        {*place.repository, tag.to_string()}, [](const db::Row& row) {
          return Tagged{row.id<ArtifactId>(0), std::string(row.text(1))};
        }));
    if (!tagged) {
      return Error{Code::kNotFound, Subject::kTag,
                   fmt::format("tag {}:{} not found", repository.to_string(), tag.to_string()),
                   tag.to_string()};
    }
    TRY(session.execute("DELETE FROM tag WHERE repository_id = ? AND name = ?",
                        {*place.repository, tag.to_string()}));
    TRY(internal::relist_artifact(session, tagged->artifact));
    const internal::TagChange change{*place.repository, caller.principal.name};
    TRY(internal::record_tag(session, change, tag.to_string(), tagged->digest, "delete"));
    TRY(internal::review(session, internal::Review::kArtifact, *place.repository,
                         tagged->artifact.value, session.now()));
    json::Writer event;
    event.begin_object();
    event.member("project_id", place.project.value);
    event.member("repository", repository.to_string());
    event.member("tag", tag.to_string());
    event.member("digest", tagged->digest);
    event.member("operator", caller.principal.name);
    event.end_object();
    return internal::emit_event(session, "DELETE_TAG", event.take());
  });
}

Result<void> delete_blob(db::Database& database, const Options& options, const Caller& caller,
                         const model::RepositoryName& repository, const model::Digest& digest) {
  const Error unknown{Code::kNotFound, Subject::kBlob, "blob unknown to registry",
                      digest.to_string()};
  const Place place = TRY(database.read(
      [&](db::ReadSession& session) { return internal::find_place(session, caller, repository); }));
  if (!place.repository) {
    return unknown;
  }
  return database.write([&](db::WriteSession& session) -> Result<void> {
    const auto held = TRY(internal::find_held(session, digest));
    if (!held) {
      return unknown;
    }
    const auto edge = TRY(
        session.first("SELECT 1 FROM artifact_blob WHERE repository_id = ? AND blob_id = ? LIMIT 1",
                      {*place.repository, held->blob}, [](const db::Row&) { return true; }));
    if (edge) {
      return Error{Code::kUnsupported, Subject::kBlob,
                   "the blob is referenced by a manifest of this repository", digest.to_string()};
    }
    const std::int64_t removed =
        TRY(session.execute("DELETE FROM repository_blob WHERE repository_id = ? AND blob_id = ?",
                            {*place.repository, held->blob}));
    if (removed == 0) {
      return unknown;
    }
    TRY(internal::uncount_blob(session, place.project, held->blob, true));
    // That may have been all there was in it.
    TRY(internal::review(session, internal::Review::kRepository, *place.repository,
                         place.repository->value, session.now()));
    return internal::review(session, internal::Review::kBlob, RepositoryId{}, held->blob.value,
                            session.now() + options.grace);
  });
}

}  // namespace roadstead::registry
