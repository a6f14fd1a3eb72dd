#pragma once

#include <optional>

#include "auth/permission.h"
#include "auth/principal.h"
#include "auth/project_access.h"
#include "base/result.h"
#include "model/reference.h"

namespace roadstead::registry {

/// Who asks, and what the operation of the API needs. Every function that takes a Caller checks
/// that permission against the rows it reads itself; the permission's scope is kProject.
struct Caller {
  const auth::Principal& principal;
  auth::Permission permission;
};

/// Errors: kNotFound + kProject (no such project), kUnauthenticated + kUser (the credentials no
/// longer count), kDenied + kRepository. `detail` is the project or repository name.
Result<void> permit(const Caller& caller, const std::optional<auth::ProjectAccess>& access,
                    const model::RepositoryName& repository);

/// The error of a repository that no API shows: kNotFound + kRepository.
Error repository_unknown(const model::RepositoryName& repository);

}  // namespace roadstead::registry
