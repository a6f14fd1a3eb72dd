#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace roadstead::auth {

/// Harbor's project roles with Harbor's ids (facts: role table of the REST API).
enum class Role : std::uint8_t {
  kProjectAdmin = 1,
  kDeveloper = 2,
  kGuest = 3,
  kMaintainer = 4,
  kLimitedGuest = 5
};
std::optional<Role> role_from_id(std::int64_t id);
std::string_view to_string(
    Role role);  ///< "projectAdmin", "developer", "guest", "maintainer", "limitedGuest"

/// What may be acted on. Names for the API: to_string() gives Harbor's ("artifact-addition").
enum class Resource : std::uint8_t {
  kProject,
  kMember,
  kMetadata,
  kConfiguration,
  kQuota,
  kLog,
  kLabel,
  kRepository,
  kArtifact,
  kArtifactAddition,
  kAccessory,
  kArtifactLabel,
  kTag,
  kTagRetention,
  kImmutableTag,
  kRobot,
  kNotificationPolicy,
  kScan,
  kSbom,
  kScanner,
  kPreheatPolicy,
  kExportCve,
  // System scope
  kCatalog,
  kUser,
  kSystemConfiguration,
  kSystemVolumes,
  kGarbageCollection,
};
enum class Action : std::uint8_t {
  kCreate,
  kRead,
  kUpdate,
  kDelete,
  kList,
  kPull,
  kPush,
  kOperate,
  kStop,
  kScannerPull,
};
std::string_view to_string(Resource resource);
std::string_view to_string(Action action);

/// The role matrix (docs: README of this module). One data table; every API asks it.
bool role_allows(Role role, Resource resource, Action action);
/// What anyone, signed in or not, may do in a public project.
bool public_allows(Resource resource, Action action);

/// The resources of a project and all actions, in the order of the enumerations, for listings of
/// permissions.
inline constexpr std::size_t kProjectResourceCount = static_cast<std::size_t>(Resource::kCatalog);
inline constexpr std::size_t kActionCount = static_cast<std::size_t>(Action::kScannerPull) + 1;

/// What an operation of an API needs. There is no default: an operation without a permission does
/// not compile.
class Permission {
 public:
  enum class Scope : std::uint8_t {
    kNobody,         ///< Open to everyone: the answer holds nothing that is not public.
    kAuthenticated,  ///< Any signed-in identity; the handler narrows further (own user row).
    kSystem,         ///< System administrators.
    kProject,        ///< `resource`:`action` in the project that the path names.
  };
  static constexpr Permission open() { return {Scope::kNobody, Resource::kProject, Action::kRead}; }
  static constexpr Permission authenticated() {
    return {Scope::kAuthenticated, Resource::kProject, Action::kRead};
  }
  static constexpr Permission system(Resource resource, Action action) {
    return {Scope::kSystem, resource, action};
  }
  static constexpr Permission project(Resource resource, Action action) {
    return {Scope::kProject, resource, action};
  }

  [[nodiscard]] constexpr Scope scope() const { return scope_; }
  [[nodiscard]] constexpr Resource resource() const { return resource_; }
  [[nodiscard]] constexpr Action action() const { return action_; }

 private:
  constexpr Permission(Scope scope, Resource resource, Action action)
      : scope_(scope), resource_(resource), action_(action) {}
  Scope scope_;
  Resource resource_;
  Action action_;
};

}  // namespace roadstead::auth
