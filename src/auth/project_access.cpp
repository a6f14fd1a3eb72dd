#include "auth/project_access.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace roadstead::auth {
namespace {

// A project is younger than a token that names it by at most what two clocks may disagree.
constexpr std::chrono::seconds kClockLeeway{60};

std::string query_by(std::string_view condition) {
  std::string sql = "SELECT ";
  sql.append(ProjectAccess::kColumns).append(" FROM ").append(ProjectAccess::kFrom);
  return sql.append(" WHERE ").append(condition);
}

bool scope_allows(const GrantedScope& scope, Action action) {
  switch (action) {
    case Action::kPull:
      return scope.pull;
    case Action::kPush:
      return scope.push;
    case Action::kDelete:
      return scope.remove;
    case Action::kCreate:
    case Action::kRead:
    case Action::kUpdate:
    case Action::kList:
    case Action::kOperate:
    case Action::kStop:
    case Action::kScannerPull:
      return false;
  }
  return false;
}

}  // namespace

ProjectAccess ProjectAccess::from_row(const db::Row& row, int first_column) {
  ProjectAccess access;
  access.project_ = row.id<ProjectId>(first_column);
  access.project_name_ = row.text(first_column + 1);
  access.created_at_ = row.time(first_column + 2);
  access.public_ = row.boolean(first_column + 3);
  access.user_exists_ = !row.is_null(first_column + 4);
  access.sysadmin_ = row.boolean(first_column + 5);
  access.credential_version_ = row.integer(first_column + 6);
  access.role_ = role_from_id(row.integer(first_column + 7));
  return access;
}

Result<std::optional<ProjectAccess>> ProjectAccess::read(db::ReadSession& session,
                                                         const Principal& principal,
                                                         std::string_view project) {
  static const std::string kSql = query_by("p.name = ?");
  return session.first(kSql, {principal.user, project},
                       [](const db::Row& row) { return from_row(row); });
}

Result<std::optional<ProjectAccess>> ProjectAccess::read(db::ReadSession& session,
                                                         const Principal& principal,
                                                         ProjectId project) {
  static const std::string kSql = query_by("p.id = ?");
  return session.first(kSql, {principal.user, project},
                       [](const db::Row& row) { return from_row(row); });
}

bool ProjectAccess::credentials_hold(const Principal& principal) const {
  if (principal.kind == Principal::Kind::kAnonymous) {
    return true;
  }
  return user_exists_ && (!principal.credential_version.has_value() ||
                          *principal.credential_version == credential_version_);
}

bool ProjectAccess::scopes_allow(const Principal& principal, Action action,
                                 std::string_view repository) const {
  const auto& scopes = *principal.scopes;
  if (repository.empty() || created_at_ > principal.token_issued_at + kClockLeeway) {
    return false;
  }
  return std::any_of(scopes.begin(), scopes.end(), [&](const GrantedScope& scope) {
    return scope.repository == repository && scope.project == project_ &&
           scope_allows(scope, action);
  });
}

bool ProjectAccess::allows(const Principal& principal, Resource resource, Action action,
                           std::string_view repository) const {
  if (!credentials_hold(principal)) {
    return false;
  }
  if (principal.scopes.has_value() &&
      (resource != Resource::kRepository || !scopes_allow(principal, action, repository))) {
    return false;
  }
  if (public_ && public_allows(resource, action)) {
    return true;
  }
  if (principal.kind == Principal::Kind::kAnonymous) {
    return false;
  }
  // A system administrator may do everything in every project, also what no role may. Pulling past
  // policies is for scanners only.
  return (sysadmin_ && action != Action::kScannerPull) ||
         (role_.has_value() && role_allows(*role_, resource, action));
}

}  // namespace roadstead::auth
