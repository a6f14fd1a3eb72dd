#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::project {

/// What lies in a project, told and removed by whoever keeps it (registry/, wired in app/).
class ProjectContent {
 public:
  virtual ~ProjectContent() = default;

  /// Repositories that an API shows: those with artifacts.
  virtual Result<std::int64_t> count_repositories(db::ReadSession& session, ProjectId project) = 0;
  virtual Result<bool> has_repositories(db::ReadSession& session, ProjectId project) = 0;
  /// Removes what no API shows (leases, open uploads, empty repositories) from a project that is
  /// about to go, in as many transactions as it takes.
  virtual Result<void> empty(ProjectId project) = 0;
  /// The rest of it, in the transaction that removes the project. Errors: kUnavailable + kProject
  /// when somebody pushed meanwhile.
  virtual Result<void> remove_invisible(db::WriteSession& session, ProjectId project) = 0;
};

}  // namespace roadstead::project
