#include "auth/user_store.h"

#include <gtest/gtest.h>

#include "crypto/password.h"
#include "db/testing/scratch_database.h"

namespace roadstead::auth {
namespace {

NewUser named(const std::string& name) {
  return {.name = name,
          .password = "Oracle12345",
          .profile = {.email = name + "@example.com", .realname = "R N", .comment = "c"}};
}

std::vector<std::string> names_of(const Page<User>& page) {
  std::vector<std::string> names;
  for (const User& user : page.items) {
    names.push_back(user.name);
  }
  return names;
}

class Users : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(ensure_administrator(*database_, "Harbor12345").value()); }
  std::int64_t version_of(UserId id) {
    return database_
        ->read([&](db::ReadSession& session) {
          return session.first("SELECT credential_version FROM user_account WHERE id = ?", {id},
                               [](const db::Row& row) { return row.integer(0); });
        })
        .value()
        .value();
  }
  db::testing::ScratchDatabase database_ = db::testing::open_scratch_database();
  PasswordPool passwords_{{}};
  UserStore users_{*database_, passwords_};
};

TEST_F(Users, TheFirstIsTheAdministrator) {
  const User admin = users_.get(kAdministrator).value();
  EXPECT_EQ(admin.name, "admin");
  EXPECT_EQ(admin.realname, "system admin");
  EXPECT_TRUE(admin.sysadmin);
  EXPECT_FALSE(admin.email.has_value());
  EXPECT_FALSE(ensure_administrator(*database_, "Other12345").value());
  EXPECT_EQ(users_.remove(kAdministrator).error().message, "User with ID 1 cannot be deleted");
}

TEST_F(Users, NameAndEmailAreTakenOnce) {
  ASSERT_TRUE(users_.create(named("alice")));
  EXPECT_EQ(users_.create(named("alice")).error().message,
            "user alice or email alice@example.com already exists");
  NewUser same_email = named("alice2");
  same_email.profile.email = "alice@example.com";
  EXPECT_EQ(users_.create(same_email).error().code, Code::kConflict);
  EXPECT_EQ(users_.create(named("anonymous")).error().code, Code::kConflict);
  EXPECT_TRUE(users_.create(named("Alice"))) << "names differ in case";
}

TEST_F(Users, ADeletedUserFreesItsNameAndIsGone) {
  const UserId id = users_.create(named("alice")).value();
  ASSERT_TRUE(users_.remove(id));
  EXPECT_EQ(users_.get(id).error().message, "user " + std::to_string(id.value) + " not found");
  EXPECT_EQ(users_.remove(id).error().code, Code::kNotFound);
  EXPECT_EQ(users_.set_password(id, "Changed12345").error().code, Code::kNotFound);
  EXPECT_EQ(users_.set_sysadmin(id, true).error().code, Code::kNotFound);
  const UserId again = users_.create(named("alice")).value();
  EXPECT_NE(again, id);
  EXPECT_EQ(users_.list({}).value().total, 1);
}

TEST_F(Users, ListLeavesOutTheAdministratorAndSortsByName) {
  for (const std::string name : {"bob", "alice", "Alice", "carol"}) {
    ASSERT_TRUE(users_.create(named(name)));
  }
  const Page<User> all = users_.list({}).value();
  EXPECT_EQ(names_of(all), (std::vector<std::string>{"Alice", "alice", "bob", "carol"}));
  EXPECT_EQ(all.total, 4);

  ListQuery second;
  second.page = 2;
  second.page_size = 3;
  EXPECT_EQ(names_of(users_.list(second).value()), std::vector<std::string>{"carol"});

  ListQuery fuzzy;
  fuzzy.filters = {{Filter::Kind::kFuzzy, "username", {"LI"}}};
  fuzzy.sort = {{"username", true}};
  EXPECT_EQ(names_of(users_.list(fuzzy).value()), (std::vector<std::string>{"alice", "Alice"}));

  ListQuery range;
  range.filters = {{Filter::Kind::kRange, "username", {"a", "b"}}};
  EXPECT_EQ(names_of(users_.list(range).value()), std::vector<std::string>{"alice"});

  ListQuery any;
  any.filters = {{Filter::Kind::kAnyOf, "username", {"bob", "nobody", "carol"}}};
  EXPECT_EQ(users_.list(any).value().total, 2);
}

TEST_F(Users, SearchCountsAnyCaseAndShowsTheExact) {
  ASSERT_TRUE(users_.create(named("Alice")));
  ASSERT_TRUE(users_.create(named("alice")));
  const Page<User> page = users_.search("ali", {}).value();
  EXPECT_EQ(page.total, 2);
  EXPECT_EQ(names_of(page), std::vector<std::string>{"alice"});
  EXPECT_TRUE(users_.search("ALI", {}).value().items.empty());
  EXPECT_EQ(users_.search("%", {}).value().total, 0) << "no pattern characters";
}

TEST_F(Users, UpdateRefusesAnAddressThatIsTaken) {
  const UserId id = users_.create(named("alice")).value();
  ASSERT_TRUE(users_.create(named("bob")));
  EXPECT_TRUE(users_.update(id, {"new@example.com", "New Name", ""}));
  EXPECT_EQ(users_.get(id).value().email, "new@example.com");
  EXPECT_EQ(users_.update(id, {"bob@example.com", "N", ""}).error().code, Code::kConflict);
  EXPECT_EQ(users_.update(UserId{999}, {"x@example.com", "N", ""}).error().code, Code::kNotFound);
}

TEST_F(Users, ANewPasswordEndsTheOldOne) {
  const UserId id = users_.create(named("alice")).value();
  const std::int64_t before = version_of(id);
  EXPECT_EQ(users_.change_password(id, "Wrong12345", "Changed12345").error().code, Code::kDenied);
  EXPECT_EQ(users_.change_password(id, "Oracle12345", "weak").error().code, Code::kInvalid);
  EXPECT_EQ(users_.set_password(id, "Oracle12345").error().message,
            "New password is identical to old password");
  EXPECT_EQ(version_of(id), before) << "what failed changed nothing";
  ASSERT_TRUE(users_.change_password(id, "Oracle12345", "Changed12345"));
  EXPECT_GT(version_of(id), before);
  EXPECT_TRUE(users_.change_password(id, "Changed12345", "Again12345"));
}

TEST_F(Users, TheAdministratorsPasswordCanBeReset) {
  ASSERT_TRUE(users_.set_password(kAdministrator, "Reset12345"));
  EXPECT_TRUE(users_.change_password(kAdministrator, "Reset12345", "Changed12345"));
  EXPECT_FALSE(users_.set_password(kAdministrator, "weak"));
}

TEST_F(Users, LookupsUseIndexes) {
  if (!database_.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  const std::string by_login = database_.explain(
      "SELECT id, username, password_hash, credential_version FROM user_account "
      "WHERE (username = ? OR email = ?) AND deleted = 0 "
      "ORDER BY CASE WHEN username = ? THEN 0 ELSE 1 END LIMIT 1");
  EXPECT_EQ(by_login.find("SCAN"), std::string::npos) << by_login;
}

TEST(FirstAdministrator, ComesWithAllThatANewInstallationStartsWithOrNotAtAll) {
  const auto database = db::testing::open_scratch_database();
  const auto refuse = [](db::WriteSession&) -> Result<void> {
    return Error{Code::kUnavailable, Subject::kDatabase, "cut off", {}};
  };
  EXPECT_FALSE(ensure_administrator(*database, "Harbor12345", refuse));
  EXPECT_FALSE(has_administrator(*database).value());
  bool along = false;
  EXPECT_TRUE(ensure_administrator(*database, "Harbor12345", [&](db::WriteSession&) {
                along = true;
                return Result<void>();
              }).value());
  EXPECT_TRUE(along);
  EXPECT_TRUE(has_administrator(*database).value());
}

}  // namespace
}  // namespace roadstead::auth
