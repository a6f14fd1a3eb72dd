#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/list_query.h"
#include "auth/permission.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::project {

/// A person in a project. Members whose accounts were deleted are invisible.
struct Member {
  MemberId id;
  ProjectId project;
  UserId user;
  std::string user_name;
  auth::Role role = auth::Role::kLimitedGuest;
};

/// Errors: kConflict + kMember when the user is a member already.
Result<MemberId> add_member(db::WriteSession& session, ProjectId project, UserId user,
                            auth::Role role);
/// Errors: kNotFound + kMember.
Result<Member> get_member(db::ReadSession& session, ProjectId project, MemberId member);
/// By name. `entity_name`, when not empty, leaves only the member of exactly this name on the
/// page; the total counts all.
Result<auth::Page<Member>> list_members(db::ReadSession& session, ProjectId project,
                                        std::string_view entity_name, const auth::ListQuery& query);
/// Both do nothing when there is no such member.
Result<void> set_role(db::WriteSession& session, ProjectId project, MemberId member,
                      auth::Role role);
Result<void> remove_member(db::WriteSession& session, ProjectId project, MemberId member);

}  // namespace roadstead::project
