#pragma once

#include "db/database.h"
#include "project/project_content.h"

namespace roadstead::app {

/// Lets project/ ask registry/ what lies in a project, though neither knows the other.
class RegistryContent final : public project::ProjectContent {
 public:
  explicit RegistryContent(db::Database& database) : database_(database) {}
  Result<std::int64_t> count_repositories(db::ReadSession& session, ProjectId project) override;
  Result<bool> has_repositories(db::ReadSession& session, ProjectId project) override;
  Result<void> empty(ProjectId project) override;
  Result<void> remove_invisible(db::WriteSession& session, ProjectId project) override;

 private:
  db::Database& database_;
};

}  // namespace roadstead::app
