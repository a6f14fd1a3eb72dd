#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "db/testing/query_plans.h"
#include "db/testing/scratch_database.h"
#include "project/project_store.h"

namespace roadstead::project {
namespace {

using db::testing::unbounded_steps;

using Names = std::vector<std::string>;

/// Projects without repositories.
class NoContent final : public ProjectContent {
 public:
  Result<std::int64_t> count_repositories(db::ReadSession& /*session*/,
                                          ProjectId /*project*/) override {
    return 0;
  }
  Result<bool> has_repositories(db::ReadSession& /*session*/, ProjectId /*project*/) override {
    return false;
  }
  Result<void> empty(ProjectId /*project*/) override { return {}; }
  Result<void> remove_invisible(db::WriteSession& /*session*/, ProjectId /*project*/) override {
    return {};
  }
};

class ProjectListTest : public ::testing::Test {
 protected:
  ProjectListTest() {
    const auto id = database->write([](db::WriteSession& session) {
      return session.insert(
          "INSERT INTO user_account (username, realname, comment, password_hash, sysadmin, "
          "deleted, credential_version, creation_time, update_time) "
          "VALUES ('owner', '', '', '', 1, 0, 1, 0, 0)",
          {});
    });
    admin.kind = auth::Principal::Kind::kUser;
    admin.user = UserId{id.value()};
  }

  ProjectId create_one(const std::string& name, bool is_public) {
    const NewProject project{.name = name,
                             .owner = admin.user,
                             .metadata = {{"public", is_public ? "true" : "false"}},
                             .storage_limit = -1};
    return database->write([&](db::WriteSession& session) { return create(session, project); })
        .value();
  }
  auth::Page<Project> page(const auth::Principal& caller, const auth::ListQuery& query) {
    const Listing listing{.query = query, .sees_all = caller.user == admin.user};
    return database
        ->read([&](db::ReadSession& session) { return list(session, content, caller, listing); })
        .value();
  }
  static Names names(const auth::Page<Project>& page) {
    Names found;
    for (const Project& project : page.items) {
      found.push_back(project.name);
    }
    return found;
  }
  std::string plans(const auth::Principal& caller, const auth::ListQuery& query) {
    const Listing listing{
        .query = query, .sees_all = caller.user == admin.user, .with_metadata = true};
    return db::testing::plans_of(database, [&](db::ReadSession& session) -> Result<void> {
      TRY(list(session, content, caller, listing));
      return {};
    });
  }

  db::testing::ScratchDatabase database = db::testing::open_scratch_database();
  NoContent content;
  auth::Principal admin;
  auth::Principal anonymous;
};

TEST_F(ProjectListTest, PagesByNameFromBothEnds) {
  for (int i = 0; i < 25; ++i) {
    create_one(fmt::format("p{:02}", (i * 7) % 25), false);
  }
  const auth::ListQuery third{.filters = {}, .sort = {}, .page = 3, .page_size = 10};
  EXPECT_EQ(names(page(admin, third)), (Names{"p20", "p21", "p22", "p23", "p24"}));
  EXPECT_EQ(page(admin, third).total, 25);
  const auth::ListQuery second_down{
      .filters = {}, .sort = {{"name", true}}, .page = 2, .page_size = 3};
  EXPECT_EQ(names(page(admin, second_down)), (Names{"p21", "p20", "p19"}));
  const auth::ListQuery beyond{.filters = {}, .sort = {}, .page = 4, .page_size = 10};
  EXPECT_TRUE(page(admin, beyond).items.empty());
  EXPECT_EQ(page(admin, beyond).total, 25);
}

TEST_F(ProjectListTest, ThePublicListFollowsTheProjects) {
  const ProjectId open = create_one("open", true);
  const ProjectId closed = create_one("closed", false);
  EXPECT_EQ(names(page(anonymous, {})), (Names{"open"}));
  const auto change = [&](ProjectId id, const std::string& value) {
    ASSERT_TRUE(database->write(
        [&](db::WriteSession& session) { return set_metadatum(session, id, "public", value); }));
  };
  change(closed, "true");
  change(closed, "true");
  EXPECT_EQ(names(page(anonymous, {})), (Names{"closed", "open"}));
  auth::ListQuery only_public;
  only_public.filters = {{.kind = auth::Filter::Kind::kExact, .key = "public", .values = {"true"}}};
  create_one("hidden", false);
  EXPECT_EQ(names(page(admin, only_public)), (Names{"closed", "open"}));
  EXPECT_EQ(page(admin, only_public).total, 2);
  EXPECT_EQ(page(anonymous, {}).total, 2);
  change(open, "false");
  EXPECT_EQ(names(page(anonymous, {})), (Names{"closed"}));
  EXPECT_EQ(page(anonymous, {}).total, 1);
  ASSERT_TRUE(remove(*database, content, closed));
  EXPECT_EQ(page(anonymous, {}).total, 0);
  EXPECT_EQ(names(page(admin, {})), (Names{"hidden", "open"}));
  EXPECT_EQ(page(admin, {}).total, 2);
}

TEST_F(ProjectListTest, AMembersListJoinsPublicAndOwnProjects) {
  if (!database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  auth::Principal member;
  member.kind = auth::Principal::Kind::kUser;
  member.user = UserId{77};
  std::mt19937 random(3);
  Names visible;
  for (int i = 0; i < 60; ++i) {
    const bool is_public = random() % 3 == 0;
    const std::string name = fmt::format("p{:02}", i);
    const ProjectId id = create_one(name, is_public);
    const bool own = random() % 3 == 0;
    if (own) {
      ASSERT_TRUE(database->write([&](db::WriteSession& session) {
        return session.execute(
            "INSERT INTO project_member (project_id, entity_type, entity_id, role, creation_time, "
            "update_time) VALUES (?, 'u', ?, 2, 0, 0)",
            {id, member.user});
      }));
    }
    if (own || is_public) {
      visible.push_back(name);
    }
  }
  for (const bool down : {false, true}) {
    Names expected = visible;
    if (down) {
      std::reverse(expected.begin(), expected.end());
    }
    for (const std::int64_t size : {1, 7, 100}) {
      Names paged;
      for (std::int64_t number = 1; number <= 61; ++number) {
        const auto found = page(
            member, {.filters = {}, .sort = {{"name", down}}, .page = number, .page_size = size});
        EXPECT_EQ(found.total, static_cast<std::int64_t>(visible.size()));
        const Names more = names(found);
        paged.insert(paged.end(), more.begin(), more.end());
      }
      EXPECT_EQ(paged, expected) << size;
    }
  }
  const std::string steps = plans(member, {.filters = {}, .sort = {}, .page = 3, .page_size = 7});
  EXPECT_EQ(unbounded_steps(steps), "") << steps;
}

TEST_F(ProjectListTest, APageReadsNoRowsBesideItsOwn) {
  if (!database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  for (int i = 0; i < 30; ++i) {
    create_one(fmt::format("p{:02}", i), true);
  }
  for (const std::int64_t number : {1, 2, 3}) {
    const auth::ListQuery query{.filters = {}, .sort = {}, .page = number, .page_size = 10};
    const auth::ListQuery down{
        .filters = {}, .sort = {{"name", true}}, .page = number, .page_size = 10};
    for (const auth::ListQuery& asked : {query, down}) {
      EXPECT_EQ(unbounded_steps(plans(admin, asked)), "") << number;
      const std::string open = plans(anonymous, asked);
      EXPECT_EQ(unbounded_steps(open), "") << number;
      EXPECT_NE(open.find("INDEX project_public (public=? AND name"), std::string::npos) << open;
    }
  }
}

}  // namespace
}  // namespace roadstead::project
