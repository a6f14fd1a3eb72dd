#include "auth/permission.h"

#include <string>

#include <gtest/gtest.h>

namespace roadstead::auth {
namespace {

/// The actions of one role on one resource as letters: create read update delete list, pull as
/// '<', push as '>', operate, stop.
std::string letters(bool (*allowed)(Role, Resource, Action), Role role, Resource resource) {
  const std::string names = "crudl<>os!";
  std::string out;
  for (std::size_t i = 0; i < kActionCount; ++i) {
    if (allowed(role, resource, static_cast<Action>(i))) {
      out += names[i];
    }
  }
  return out;
}

bool public_as_role(Role /*role*/, Resource resource, Action action) {
  return public_allows(resource, action);
}

struct Expectation {
  Resource resource;
  std::string admin, maintainer, developer, guest, limited_guest, anyone;
};

class RoleMatrix : public testing::TestWithParam<Expectation> {};

// Written out a second time, in another form than the code has it, from the documented roles.
TEST_P(RoleMatrix, IsWhatIsDocumented) {
  const Expectation& e = GetParam();
  EXPECT_EQ(letters(role_allows, Role::kProjectAdmin, e.resource), e.admin);
  EXPECT_EQ(letters(role_allows, Role::kMaintainer, e.resource), e.maintainer);
  EXPECT_EQ(letters(role_allows, Role::kDeveloper, e.resource), e.developer);
  EXPECT_EQ(letters(role_allows, Role::kGuest, e.resource), e.guest);
  EXPECT_EQ(letters(role_allows, Role::kLimitedGuest, e.resource), e.limited_guest);
  EXPECT_EQ(letters(public_as_role, Role::kGuest, e.resource), e.anyone);
}

INSTANTIATE_TEST_SUITE_P(
    All, RoleMatrix,
    testing::Values(Expectation{Resource::kProject, "rud", "r", "r", "r", "r", "r"},
                    Expectation{Resource::kMember, "crudl", "rl", "rl", "rl", "", ""},
                    Expectation{Resource::kMetadata, "crud", "r", "", "", "", ""},
                    Expectation{Resource::kConfiguration, "ru", "r", "r", "r", "r", ""},
                    Expectation{Resource::kQuota, "r", "r", "r", "r", "r", ""},
                    Expectation{Resource::kLog, "l", "", "", "", "", ""},
                    Expectation{Resource::kLabel, "crudl", "crudl", "rl", "rl", "", "rl"},
                    Expectation{Resource::kRepository, "crudl<>", "crudl<>", "crul<>", "rl<", "rl<",
                                "l<"},
                    Expectation{Resource::kArtifact, "crdl", "crdl", "crl", "rl", "rl", "rl"},
                    Expectation{Resource::kArtifactAddition, "r", "r", "r", "r", "r", "r"},
                    Expectation{Resource::kAccessory, "l", "l", "l", "l", "l", "l"},
                    Expectation{Resource::kArtifactLabel, "cd", "cd", "cd", "", "", ""},
                    Expectation{Resource::kTag, "cdl", "cdl", "cl", "l", "l", "l"},
                    Expectation{Resource::kTagRetention, "crudlo", "crudlo", "crudlo", "", "", ""},
                    Expectation{Resource::kImmutableTag, "cudl", "cudl", "", "", "", ""},
                    Expectation{Resource::kRobot, "crudl", "rl", "rl", "rl", "", ""},
                    Expectation{Resource::kNotificationPolicy, "crudl", "rl", "", "", "", ""},
                    Expectation{Resource::kScan, "crs", "crs", "r", "r", "r", "r"},
                    Expectation{Resource::kSbom, "crs", "crs", "r", "r", "r", ""},
                    Expectation{Resource::kScanner, "cr", "r", "r", "r", "r", "r"},
                    Expectation{Resource::kPreheatPolicy, "crudl", "", "", "", "", ""},
                    Expectation{Resource::kExportCve, "crl", "crl", "crl", "", "", ""},
                    Expectation{Resource::kCatalog, "", "", "", "", "", ""},
                    Expectation{Resource::kUser, "", "", "", "", "", ""},
                    Expectation{Resource::kSystemConfiguration, "", "", "", "", "", ""},
                    Expectation{Resource::kSystemVolumes, "", "", "", "", "", ""},
                    Expectation{Resource::kGarbageCollection, "", "", "", "", "", ""}),
    [](const auto& param) {
      std::string name(to_string(param.param.resource));
      std::erase(name, '-');
      return name + std::to_string(param.index);
    });

TEST(Role, HasTheIdsOfTheRestApi) {
  EXPECT_EQ(role_from_id(1), Role::kProjectAdmin);
  EXPECT_EQ(role_from_id(4), Role::kMaintainer);
  EXPECT_EQ(role_from_id(5), Role::kLimitedGuest);
  EXPECT_FALSE(role_from_id(0).has_value());
  EXPECT_FALSE(role_from_id(6).has_value());
  EXPECT_FALSE(role_from_id(-1).has_value());
  EXPECT_EQ(to_string(Role::kLimitedGuest), "limitedGuest");
}

}  // namespace
}  // namespace roadstead::auth
