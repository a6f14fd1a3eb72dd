#include "registry/trash.h"

#include <deque>
#include <set>

#include <fmt/format.h>

#include "json/json.h"
#include "registry/internal/artifact_kind.h"
#include "registry/internal/place.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/trash_rows.h"

namespace roadstead::registry {
namespace {

using internal::Holder;
using internal::Place;
using internal::Trashed;
using internal::TrashPlace;

/// How deep indexes may lie in indexes.
constexpr int kDepthMax = 32;

/// One artifact to bring back.
struct Item {
  Trashed row;
  model::Manifest manifest;
};

Error gone(std::string_view digest, std::string_view what) {
  return Error{Code::kPrecondition, Subject::kArtifact,
               fmt::format("{} cannot be restored: {}", digest, what), std::string(digest)};
}

/// Everything that comes back together, in an order in which it can be stored: children before
/// their index, referrers behind their subject.
class Plan {
 public:
  Plan(db::ReadSession& session, const TrashPlace& place, std::optional<RepositoryId> repository,
       bool sparse)
      : session_(session), place_(place), repository_(repository), sparse_(sparse) {}

  Result<void> make(const model::Digest& digest) {
    const std::optional<Error> failure = TRY(add(digest, 0));
    if (failure) {
      return *failure;
    }
    // Items are appended while this goes on: referrers have referrers.
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto referrers =
          TRY(internal::taken_along(session_, place_, items[i].row.digest, kRestoreMax));
      for (const model::Digest& referrer : referrers) {
        const std::size_t before = items.size();
        if (TRY(add(referrer, 0))) {
          // What went along need not come back for the rest to.
          items.erase(items.begin() + static_cast<std::ptrdiff_t>(before), items.end());
        }
      }
    }
    return {};
  }

  std::vector<Item> items;

 private:
  /// Why it cannot come back, or nothing.
  Result<std::optional<Error>> add(const model::Digest& digest, int depth) {
    if (!seen_.insert(digest.to_string()).second || TRY(present(digest))) {
      return std::optional<Error>();
    }
    auto row = TRY(internal::find_trashed(session_, place_, digest));
    if (!row) {
      return std::optional(Error{Code::kNotFound, Subject::kArtifact,
                                 fmt::format("artifact {}@{} is not in the trash",
                                             place_.repository.to_string(), digest.to_string()),
                                 digest.to_string()});
    }
    if (depth > kDepthMax || items.size() >= kRestoreMax) {
      return std::optional(gone(digest.to_string(), "too many manifests belong to it"));
    }
    model::Manifest manifest = TRY(model::parse_manifest(row->bytes, row->media_type));
    if (const auto lost = TRY(internal::find_lost_blob(session_, manifest))) {
      return std::optional(gone(digest.to_string(), lost->to_string() + " was collected"));
    }
    if (auto failure = TRY(add_children(manifest, digest, depth))) {
      return failure;
    }
    items.push_back({std::move(*row), std::move(manifest)});
    return std::optional<Error>();
  }

  Result<std::optional<Error>> add_children(const model::Manifest& manifest,
                                            const model::Digest& parent, int depth) {
    for (const model::Descriptor& child : manifest.manifests) {
      const auto failure = TRY(add(child.digest, depth + 1));
      const bool blob = !model::is_manifest_type(child.media_type);
      if (!failure || (failure->code == Code::kNotFound && (blob || sparse_))) {
        continue;
      }
      return std::optional(failure->code == Code::kNotFound
                               ? gone(parent.to_string(), child.digest.to_string() + " is gone")
                               : *failure);
    }
    return std::optional<Error>();
  }

  Result<bool> present(const model::Digest& digest) {
    if (!repository_) {
      return false;
    }
    const auto found = TRY(internal::find_present(session_, *repository_, digest));
    return found.has_value();
  }

  db::ReadSession& session_;
  const TrashPlace& place_;
  std::optional<RepositoryId> repository_;
  bool sparse_;
  std::set<std::string> seen_;
};

/// What is restored, for whom.
struct Restoring {
  const Options& options;
  const Caller& caller;
  TrashPlace place;
  const model::Digest& digest;
  bool move_tags = false;         ///< Those it had.
  std::optional<model::Tag> tag;  ///< Beside those.
  bool move_tag = false;
};

/// True when the tag names the artifact now.
Result<bool> take_tag(db::WriteSession& session, const internal::TagChange& change,
                      const model::Tag& tag, const model::Digest& digest, ArtifactId artifact,
                      bool move) {
  const auto named = TRY(internal::find_tagged(session, change.repository, tag.to_string()));
  if (named && *named != digest && !move) {
    return false;
  }
  TRY(internal::put_tag(session, change, tag, artifact, digest));
  return true;
}

Result<void> take_tags(db::WriteSession& session, const Restoring& how, const Holder& holder,
                       const Item& item, ArtifactId artifact, RestoredArtifact& restored) {
  const internal::TagChange change{holder.repository, how.caller.principal.name};
  const bool itself = item.row.digest == how.digest;
  for (const std::string& name : item.row.tags) {
    const auto tag = model::Tag::parse(name);
    if (!tag) {
      continue;
    }
    const bool taken =
        TRY(take_tag(session, change, *tag, item.row.digest, artifact, how.move_tags && itself));
    if (itself) {
      (taken ? restored.tags : restored.kept_tags).push_back(name);
    }
  }
  return {};
}

Result<void> emit_restored(db::WriteSession& session, const Restoring& how, const Holder& holder,
                           std::string_view digest, ArtifactId artifact) {
  json::Writer event;
  event.begin_object();
  event.member("project_id", holder.project.value);
  event.member("repository", how.place.repository.to_string());
  event.member("artifact_id", artifact.value);
  event.member("digest", digest);
  event.member("operator", how.caller.principal.name);
  event.end_object();
  return internal::emit_event(session, "RESTORE_ARTIFACT", event.take());
}

Result<void> restore_item(db::WriteSession& session, const Restoring& how, const Holder& holder,
                          const Item& item, RestoredArtifact& restored) {
  const std::string& digest = item.row.digest.to_string();
  TRY(internal::relink_blobs(session, how.options, holder, item.manifest));
  const auto references =
      TRY(internal::resolve_references(session, how.options, holder.repository, item.manifest));
  if (!references.missing.empty()) {
    return gone(digest, references.missing.front() + " was collected");
  }
  const internal::NewArtifact artifact{item.manifest,
                                       item.row.digest,
                                       item.row.bytes,
                                       internal::artifact_kind(item.manifest),
                                       item.row.extra_attributes,
                                       references};
  const auto stored = TRY(internal::store_artifact(session, how.options, holder, artifact));
  TRY(take_tags(session, how, holder, item, stored.id, restored));
  TRY(internal::forget_trashed(session, how.place, item.row.digest));
  if (item.row.digest != how.digest) {
    restored.along.push_back(digest);
  }
  return emit_restored(session, how, holder, digest, stored.id);
}

Error tag_taken(const Restoring& how) {
  return Error{Code::kConflict, Subject::kTag,
               fmt::format("tag {}:{} names something else now", how.place.repository.to_string(),
                           how.tag->to_string()),
               how.tag->to_string()};
}

/// The transaction: plan and rows are of one state, so nothing is collected in between.
Result<RestoredArtifact> restore_all(db::WriteSession& session, const Restoring& how) {
  const Place place = TRY(internal::find_place(session, how.caller, how.place.repository));
  const TrashPlace trash{place.project, how.place.repository};
  Plan plan(session, trash, place.repository, how.options.sparse_indexes);
  TRY(plan.make(how.digest));
  Holder holder{place.project, {}};
  holder.repository = TRY(internal::ensure_repository(session, place.project, trash.repository,
                                                      internal::Use::kChange));
  RestoredArtifact restored;
  restored.digest = how.digest.to_string();
  for (const Item& item : plan.items) {
    TRY(restore_item(session, how, holder, item, restored));
  }
  if (how.tag) {
    const auto artifact = TRY(internal::find_present(session, holder.repository, how.digest));
    CHECK(artifact.has_value());
    const internal::TagChange change{holder.repository, how.caller.principal.name};
    if (!TRY(take_tag(session, change, *how.tag, how.digest, *artifact, how.move_tag))) {
      return tag_taken(how);
    }
    restored.tags.push_back(how.tag->to_string());
  }
  return restored;
}

/// Before anything is decided about what is in it.
Result<void> lock_place(db::WriteSession& session, const Place& place) {
  if (place.repository) {
    TRY(internal::lock_repository(session, *place.repository));
  }
  return {};
}

/// What the tag is to name.
Result<model::Digest> wanted_digest(db::ReadSession& session, RepositoryId repository,
                                    const model::RepositoryName& name, const model::Tag& tag,
                                    const TagChoice& choice) {
  const Error unknown{
      Code::kNotFound, Subject::kTag,
      choice.digest ? fmt::format("tag {}:{} never named {}", name.to_string(), tag.to_string(),
                                  choice.digest->to_string())
                    : fmt::format("tag {}:{} was not deleted", name.to_string(), tag.to_string()),
      tag.to_string()};
  if (choice.digest) {
    const bool named =
        TRY(internal::ever_named(session, repository, tag.to_string(), *choice.digest));
    return named ? Result<model::Digest>(*choice.digest) : Result<model::Digest>(unknown);
  }
  auto deleted = TRY(internal::find_deleted_tag(session, repository, tag.to_string()));
  return deleted ? Result<model::Digest>(std::move(*deleted)) : Result<model::Digest>(unknown);
}

}  // namespace

Result<RestoredArtifact> restore_artifact(db::Database& database, const Options& options,
                                          const Caller& caller,
                                          const model::RepositoryName& repository,
                                          const model::Digest& digest,
                                          const RestoreChoice& choice) {
  return database.write([&](db::WriteSession& session) -> Result<RestoredArtifact> {
    const Place place = TRY(internal::find_place(session, caller, repository));
    TRY(lock_place(session, place));
    if (place.repository && TRY(internal::find_present(session, *place.repository, digest))) {
      return Error{
          Code::kConflict, Subject::kArtifact,
          fmt::format("artifact {}@{} is there", repository.to_string(), digest.to_string()),
          digest.to_string()};
    }
    return restore_all(
        session,
        {options, caller, {place.project, repository}, digest, choice.move_tags, {}, false});
  });
}

Result<RestoredArtifact> restore_tag(db::Database& database, const Options& options,
                                     const Caller& caller, const model::RepositoryName& repository,
                                     const model::Tag& tag, const TagChoice& choice) {
  return database.write([&](db::WriteSession& session) -> Result<RestoredArtifact> {
    const Place place = TRY(internal::find_place(session, caller, repository));
    if (!place.repository) {
      return repository_unknown(repository);
    }
    TRY(lock_place(session, place));
    const model::Digest digest =
        TRY(wanted_digest(session, *place.repository, repository, tag, choice));
    return restore_all(
        session, {options, caller, {place.project, repository}, digest, false, tag, choice.move});
  });
}

}  // namespace roadstead::registry
