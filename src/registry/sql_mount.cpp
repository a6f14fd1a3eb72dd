#include "registry/internal/mount.h"
#include "registry/pull.h"

namespace roadstead::registry::internal {
namespace {

constexpr std::size_t kScopesMax = 100;
constexpr std::int64_t kProjectsMax = 64;

Caller puller(const Caller& caller) {
  return Caller{caller.principal,
                auth::Permission::project(auth::Resource::kRepository, auth::Action::kPull)};
}

bool is_refusal(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kDenied ||
         error.code == Code::kUnauthenticated;
}

/// A token permits by repository, so only the repositories it names are looked at.
Result<std::optional<Held>> find_in_scopes(db::ReadSession& session, const Caller& caller,
                                           const model::Digest& digest) {
  const auto& scopes = *caller.principal.scopes;
  for (std::size_t i = 0; i < std::min(scopes.size(), kScopesMax); ++i) {
    const auto name = model::RepositoryName::parse(scopes[i].repository);
    if (!name || !scopes[i].pull) {
      continue;
    }
    auto found = TRY(find_source(session, caller, *name, digest));
    if (found) {
      return found;
    }
  }
  return std::optional<Held>();
}

/// Projects that count the blob as theirs: the user's own first, then any.
Result<std::vector<ProjectId>> candidates(db::ReadSession& session, UserId user, BlobId blob) {
  const auto id = [](const db::Row& row) { return row.id<ProjectId>(0); };
  auto projects = TRY(session.all(
      "SELECT m.project_id FROM project_member m JOIN project_blob pb ON pb.project_id = "
      "m.project_id AND pb.blob_id = ? WHERE m.entity_type = 'u' AND m.entity_id = ? LIMIT ?",
      {blob, user, kProjectsMax}, id));
  const auto others = TRY(session.all(
      "SELECT project_id FROM project_blob WHERE blob_id = ? LIMIT ?", {blob, kProjectsMax}, id));
  projects.insert(projects.end(), others.begin(), others.end());
  return projects;
}

}  // namespace

Result<std::optional<Held>> find_source(db::ReadSession& session, const Caller& caller,
                                        const model::RepositoryName& from,
                                        const model::Digest& digest) {
  auto found = find_blob(session, puller(caller), from, digest, Probe{.bytes_max = -1});
  if (found) {
    return std::optional(Held{found->blob, found->size});
  }
  // Whether it is absent or only forbidden makes no difference, so nothing about it is told.
  if (is_refusal(found.error())) {
    return std::optional<Held>();
  }
  return std::move(found).error();
}

Result<std::optional<Held>> find_any_source(db::ReadSession& session, const Caller& caller,
                                            const model::Digest& digest) {
  if (caller.principal.scopes) {
    return find_in_scopes(session, caller, digest);
  }
  const auto held = TRY(find_intact(session, digest));
  if (!held) {
    return held;
  }
  const auto projects = TRY(candidates(session, caller.principal.user, held->blob));
  for (const ProjectId project : projects) {
    const auto access = TRY(auth::ProjectAccess::read(session, caller.principal, project));
    // A project counts a blob only while one of its repositories holds it.
    if (access &&
        access->allows(caller.principal, auth::Resource::kRepository, auth::Action::kPull)) {
      return held;
    }
  }
  return std::optional<Held>();
}

}  // namespace roadstead::registry::internal
