#include "auth/project_access.h"

#include <gtest/gtest.h>

#include "auth/user_access.h"
#include "db/testing/scratch_database.h"

namespace roadstead::auth {
namespace {

/// Users 1 (administrator), 2 with `role` in project "reg", 3 without; "reg" private, "pub" public.
class Access : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::string name : {"admin", "member", "stranger"}) {
      run("INSERT INTO user_account (username, realname, comment, password_hash, sysadmin, "
          "deleted, "
          "credential_version, creation_time, update_time) VALUES (?, '', '', '', ?, 0, 1, 0, 0)",
          {name, name == "admin"});
    }
    for (const std::string name : {"reg", "pub"}) {
      run("INSERT INTO project (name, owner_id, public, creation_time, update_time) "
          "VALUES (?, 1, ?, 1000000000, 0)",
          {name, name == "pub"});
    }
    set_role(Role::kDeveloper);
  }
  void run(const std::string& sql, std::initializer_list<db::Param> params) {
    const auto outcome =
        database_->write([&](db::WriteSession& session) { return session.execute(sql, params); });
    ASSERT_TRUE(outcome) << describe(outcome.error());
  }
  void set_role(Role role) {
    run("DELETE FROM project_member", {});
    run("INSERT INTO project_member (project_id, entity_type, entity_id, role, creation_time, "
        "update_time) VALUES (1, 'u', 2, ?, 0, 0)",
        {static_cast<int>(role)});
  }
  static Principal user(std::int64_t id) {
    Principal principal;
    principal.kind = Principal::Kind::kUser;
    principal.user = UserId{id};
    principal.credential_version = 1;
    return principal;
  }
  static Principal token(std::int64_t id, const std::string& repository, ProjectId project) {
    Principal principal = user(id);
    principal.credential_version.reset();
    principal.token_issued_at = from_micros(2'000'000'000);
    principal.scopes = {
        {.repository = repository, .pull = true, .push = true, .remove = true, .project = project}};
    return principal;
  }
  std::optional<ProjectAccess> read(const Principal& principal, const std::string& project) {
    return database_
        ->read([&](db::ReadSession& session) {
          return ProjectAccess::read(session, principal, std::string_view(project));
        })
        .value();
  }
  bool allows(const Principal& principal, const std::string& project, Action action,
              const std::string& repository = {}) {
    return read(principal, project)->allows(principal, Resource::kRepository, action, repository);
  }
  db::testing::ScratchDatabase database_ = db::testing::open_scratch_database();
};

TEST_F(Access, FollowsTheRole) {
  EXPECT_TRUE(allows(user(2), "reg", Action::kPush));
  EXPECT_FALSE(allows(user(2), "reg", Action::kDelete));
  set_role(Role::kGuest);
  EXPECT_FALSE(allows(user(2), "reg", Action::kPush));
  EXPECT_TRUE(allows(user(2), "reg", Action::kPull));
  EXPECT_FALSE(allows(user(3), "reg", Action::kPull));
}

TEST_F(Access, AnyonePullsFromAPublicProjectOnly) {
  EXPECT_TRUE(allows(Principal{}, "pub", Action::kPull));
  EXPECT_FALSE(allows(Principal{}, "pub", Action::kPush));
  EXPECT_FALSE(allows(Principal{}, "reg", Action::kPull));
  EXPECT_TRUE(allows(user(3), "pub", Action::kPull));
}

TEST_F(Access, AdministratorsOfTheSystemAreAdministratorsOfProjects) {
  EXPECT_TRUE(allows(user(1), "reg", Action::kDelete));
  EXPECT_TRUE(read(user(1), "reg")->is_sysadmin());
  EXPECT_TRUE(read(user(1), "reg")->allows(user(1), Resource::kMetadata, Action::kList))
      << "no role lists metadata";
  EXPECT_FALSE(allows(user(1), "reg", Action::kScannerPull));
}

TEST_F(Access, UnknownProjectsAreNothing) {
  EXPECT_FALSE(read(user(1), "nope").has_value());
}

TEST_F(Access, StaleCredentialsPermitNothingNotEvenWhatAnyoneMay) {
  Principal stale = user(2);
  stale.credential_version = 0;
  EXPECT_FALSE(read(stale, "pub")->credentials_hold(stale));
  EXPECT_FALSE(allows(stale, "pub", Action::kPull));
  run("UPDATE user_account SET deleted = 1 WHERE id = 2", {});
  EXPECT_FALSE(read(user(2), "pub")->credentials_hold(user(2)));
  EXPECT_FALSE(allows(token(2, "reg/app", ProjectId{1}), "reg", Action::kPull, "reg/app"));
}

TEST_F(Access, ATokenIsBoundedByItsScopes) {
  const Principal scoped = token(2, "reg/app", ProjectId{1});
  EXPECT_TRUE(allows(scoped, "reg", Action::kPush, "reg/app"));
  EXPECT_FALSE(allows(scoped, "reg", Action::kPush, "reg/other"));
  EXPECT_FALSE(allows(scoped, "reg", Action::kPush)) << "no repository named";
  EXPECT_FALSE(read(scoped, "reg")->allows(scoped, Resource::kMember, Action::kList))
      << "tokens are for repositories";
  EXPECT_FALSE(allows(scoped, "pub", Action::kPull, "pub/app")) << "not in the token";
  Principal weaker = token(2, "reg/app", ProjectId{1});
  weaker.scopes->front().push = false;
  EXPECT_FALSE(allows(weaker, "reg", Action::kPush, "reg/app"));
}

TEST_F(Access, ATokenIsOnlyAnUpperBound) {
  const Principal scoped = token(2, "reg/app", ProjectId{1});
  EXPECT_FALSE(allows(scoped, "reg", Action::kDelete, "reg/app")) << "developers do not delete";
  set_role(Role::kGuest);
  EXPECT_FALSE(allows(scoped, "reg", Action::kPush, "reg/app"));
  run("DELETE FROM project_member", {});
  EXPECT_FALSE(allows(scoped, "reg", Action::kPull, "reg/app"));
}

TEST_F(Access, ATokenOfTheProjectThatHadThisNameBeforeIsVoid) {
  EXPECT_FALSE(allows(token(2, "reg/app", ProjectId{99}), "reg", Action::kPull, "reg/app"));
  Principal old = token(2, "reg/app", ProjectId{1});
  old.token_issued_at = from_micros(900'000'000);
  EXPECT_FALSE(allows(old, "reg", Action::kPull, "reg/app"));
}

TEST_F(Access, CatalogIsForAdministratorsAndTheirTokens) {
  const auto may = [&](const Principal& principal) {
    return database_
        ->read([&](db::ReadSession& session) { return UserAccess::read(session, principal); })
        .value()
        .may_list_catalog(principal);
  };
  EXPECT_TRUE(may(user(1)));
  EXPECT_FALSE(may(user(2)));
  EXPECT_FALSE(may(Principal{}));
  Principal scoped = token(1, "reg/app", ProjectId{1});
  EXPECT_FALSE(may(scoped));
  scoped.catalog = true;
  EXPECT_TRUE(may(scoped));
  scoped.user = UserId{2};
  EXPECT_FALSE(may(scoped));
}

TEST_F(Access, IsReadThroughIndexes) {
  if (!database_.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  std::string sql = "SELECT ";
  sql.append(ProjectAccess::kColumns).append(" FROM ").append(ProjectAccess::kFrom);
  const std::string plan = database_.explain(sql + " WHERE p.name = ?");
  EXPECT_EQ(plan.find("SCAN"), std::string::npos) << plan;
}

}  // namespace
}  // namespace roadstead::auth
