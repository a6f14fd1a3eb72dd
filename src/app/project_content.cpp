#include "app/project_content.h"

#include "registry/listing.h"
#include "registry/remove.h"

namespace roadstead::app {

Result<std::int64_t> RegistryContent::count_repositories(db::ReadSession& session,
                                                         ProjectId project) {
  return registry::count_repositories(session, project);
}

Result<bool> RegistryContent::has_repositories(db::ReadSession& session, ProjectId project) {
  return registry::has_repositories(session, project);
}

Result<void> RegistryContent::empty(ProjectId project) {
  return registry::empty_project(database_, project);
}

Result<void> RegistryContent::remove_invisible(db::WriteSession& session, ProjectId project) {
  return registry::remove_invisible(session, project);
}

}  // namespace roadstead::app
