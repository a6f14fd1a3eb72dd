#include "registry/caller.h"

#include <fmt/format.h>

namespace roadstead::registry {

Result<void> permit(const Caller& caller, const std::optional<auth::ProjectAccess>& access,
                    const model::RepositoryName& repository) {
  if (!access) {
    const std::string project(repository.project());
    return Error{Code::kNotFound, Subject::kProject, fmt::format("project {} not found", project),
                 project};
  }
  if (!access->credentials_hold(caller.principal)) {
    return Error{Code::kUnauthenticated, Subject::kUser, "unauthorized", {}};
  }
  const auth::Permission& wanted = caller.permission;
  if (!access->allows(caller.principal, wanted.resource(), wanted.action(),
                      repository.to_string())) {
    return Error{Code::kDenied, Subject::kRepository,
                 fmt::format("unauthorized to access repository: {}, action: {}",
                             repository.to_string(), auth::to_string(wanted.action())),
                 repository.to_string()};
  }
  return {};
}

Error repository_unknown(const model::RepositoryName& repository) {
  return Error{Code::kNotFound, Subject::kRepository,
               fmt::format("repository {} not found", repository.to_string()),
               repository.to_string()};
}

}  // namespace roadstead::registry
