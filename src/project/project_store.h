#pragma once

#include <optional>
#include <string_view>

#include "auth/list_query.h"
#include "auth/principal.h"
#include "base/result.h"
#include "db/database.h"
#include "project/project.h"
#include "project/project_content.h"

namespace roadstead::project {

/// Projects on the caller's session; whether the caller may is decided before (auth/).

/// The project, its owner as administrator, its metadata and its quota. Errors: as the checks of
/// project.h; kConflict + kProject when the name is taken.
Result<ProjectId> create(db::WriteSession& session, const NewProject& project);

/// With metadata and repository count. Nothing when there is none.
Result<std::optional<Project>> get(db::ReadSession& session, ProjectContent& content,
                                   const auth::Principal& caller, ProjectId id);
Result<bool> exists(db::ReadSession& session, std::string_view name);

/// Filters and sort keys: name, public, owner, project_id, owner_id, creation_time, update_time.
struct Listing {
  auth::ListQuery query;
  bool sees_all = false;  ///< A system administrator: not only public and own projects.
  bool with_metadata = false;
};
Result<auth::Page<Project>> list(db::ReadSession& session, ProjectContent& content,
                                 const auth::Principal& caller, const Listing& listing);

/// Adds and replaces metadata. The project exists. Errors: kInvalid + kMetadata.
Result<void> update(db::WriteSession& session, ProjectId id, const Metadata& changes);
Result<Metadata> metadata(db::ReadSession& session, ProjectId id);

/// One by one, for an existing project. Errors: as check_metadatum().
/// Errors of add_metadatum() also: kConflict + kMetadata when it is set already.
Result<void> add_metadatum(db::WriteSession& session, ProjectId id, std::string_view key,
                           std::string_view value);
Result<void> set_metadatum(db::WriteSession& session, ProjectId id, std::string_view key,
                           std::string_view value);
/// Nothing when it is not set. Without "public" a project is private.
Result<void> remove_metadatum(db::WriteSession& session, ProjectId id, std::string_view key);

/// The summary of an existing project.
Result<Summary> summarize(db::ReadSession& session, ProjectContent& content, ProjectId id);

/// Removes the project with its members, metadata, quota and what is invisible in it. Errors:
/// kNotFound + kProject; kPrecondition + kProject while it has repositories; kUnavailable +
/// kProject when it does not become empty because somebody keeps pushing.
Result<void> remove(db::Database& database, ProjectContent& content, ProjectId id);

/// The public project "library" that a new registry starts with; nothing when it exists.
Result<void> create_default_project(db::WriteSession& session);

}  // namespace roadstead::project
