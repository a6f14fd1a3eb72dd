#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/permission.h"
#include "auth/principal.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::auth {

/// What the rows say, in the session of this very request, about one principal in one project.
/// Capabilities put kColumns and kFrom into their own joined query, so that permission and content
/// are one read (architecture.md section 4):
///   SELECT <kColumns>, t.name FROM <kFrom> LEFT JOIN repository r ON r.project_id = p.id AND
///   r.name = ? … WHERE p.name = ?
/// kFrom has one placeholder: the principal's user id (0 for anonymous).
class ProjectAccess {
 public:
  static constexpr std::string_view kColumns =
      "p.id, p.name, p.creation_time, p.public, u.id, u.sysadmin, u.credential_version, m.role";
  static constexpr std::string_view kFrom =
      "project p LEFT JOIN user_account u ON u.id = ? AND u.deleted = 0 "
      "LEFT JOIN project_member m ON m.project_id = p.id AND m.entity_type = 'u' AND m.entity_id = "
      "u.id";
  static constexpr int kColumnCount = 8;

  static ProjectAccess from_row(const db::Row& row, int first_column = 0);
  /// Reads it alone. Nothing when there is no such project.
  static Result<std::optional<ProjectAccess>> read(db::ReadSession& session,
                                                   const Principal& principal,
                                                   std::string_view project);
  static Result<std::optional<ProjectAccess>> read(db::ReadSession& session,
                                                   const Principal& principal, ProjectId project);

  /// False when the credentials no longer count: the user is gone or disabled, or the password
  /// changed. The request is then treated as one with wrong credentials, never as anonymous.
  [[nodiscard]] bool credentials_hold(const Principal& principal) const;
  /// Whether the principal may do `action` on `resource` in this project now. For a bearer token on
  /// a repository, its scopes bound it: pass the full repository name; other resources (""
  /// repository) are never permitted to a scoped token.
  [[nodiscard]] bool allows(const Principal& principal, Resource resource, Action action,
                            std::string_view repository = {}) const;

  [[nodiscard]] ProjectId project() const { return project_; }
  [[nodiscard]] const std::string& project_name() const { return project_name_; }
  [[nodiscard]] bool is_public() const { return public_; }
  [[nodiscard]] std::optional<Role> role() const { return role_; }
  [[nodiscard]] bool is_sysadmin() const { return sysadmin_; }

 private:
  [[nodiscard]] bool scopes_allow(const Principal& principal, Action action,
                                  std::string_view repository) const;

  ProjectId project_;
  std::string project_name_;
  Time created_at_{};
  bool public_ = false;
  bool user_exists_ = false;
  bool sysadmin_ = false;
  std::int64_t credential_version_ = 0;
  std::optional<Role> role_;
};

}  // namespace roadstead::auth
