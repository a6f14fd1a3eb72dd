#include "auth/permission.h"

#include <array>

namespace roadstead::auth {
namespace {

/// A set of actions, one bit each.
using Actions = std::uint16_t;

constexpr Actions bit(Action action) {
  return static_cast<Actions>(1U << static_cast<unsigned>(action));
}

constexpr Actions kNone = 0;
constexpr Actions kC = bit(Action::kCreate);
constexpr Actions kR = bit(Action::kRead);
constexpr Actions kU = bit(Action::kUpdate);
constexpr Actions kD = bit(Action::kDelete);
constexpr Actions kL = bit(Action::kList);
constexpr Actions kPl = bit(Action::kPull);
constexpr Actions kPs = bit(Action::kPush);
constexpr Actions kO = bit(Action::kOperate);
constexpr Actions kS = bit(Action::kStop);
constexpr Actions kCrudl = kC | kR | kU | kD | kL;

/// Who may do what with one kind of thing in a project.
struct MatrixRow {
  Resource resource;
  Actions admin;
  Actions maintainer;
  Actions developer;
  Actions guest;
  Actions limited_guest;
  Actions anyone_in_public;
};

// The whole rule. System resources are not in it: only system administrators reach them.
constexpr std::array kMatrix{
    MatrixRow{Resource::kProject, kR | kU | kD, kR, kR, kR, kR, kR},
    MatrixRow{Resource::kMember, kCrudl, kR | kL, kR | kL, kR | kL, kNone, kNone},
    MatrixRow{Resource::kMetadata, kC | kR | kU | kD, kR, kNone, kNone, kNone, kNone},
    MatrixRow{Resource::kConfiguration, kR | kU, kR, kR, kR, kR, kNone},
    MatrixRow{Resource::kQuota, kR, kR, kR, kR, kR, kNone},
    MatrixRow{Resource::kLog, kL, kNone, kNone, kNone, kNone, kNone},
    MatrixRow{Resource::kLabel, kCrudl, kCrudl, kR | kL, kR | kL, kNone, kR | kL},
    MatrixRow{Resource::kRepository, kCrudl | kPl | kPs, kCrudl | kPl | kPs,
              kC | kR | kU | kL | kPl | kPs, kR | kL | kPl, kR | kL | kPl, kL | kPl},
    MatrixRow{Resource::kArtifact, kC | kR | kD | kL, kC | kR | kD | kL, kC | kR | kL, kR | kL,
              kR | kL, kR | kL},
    MatrixRow{Resource::kArtifactAddition, kR, kR, kR, kR, kR, kR},
    MatrixRow{Resource::kAccessory, kL, kL, kL, kL, kL, kL},
    MatrixRow{Resource::kArtifactLabel, kC | kD, kC | kD, kC | kD, kNone, kNone, kNone},
    MatrixRow{Resource::kTag, kC | kD | kL, kC | kD | kL, kC | kL, kL, kL, kL},
    MatrixRow{Resource::kTagRetention, kCrudl | kO, kCrudl | kO, kCrudl | kO, kNone, kNone, kNone},
    MatrixRow{Resource::kImmutableTag, kC | kU | kD | kL, kC | kU | kD | kL, kNone, kNone, kNone,
              kNone},
    MatrixRow{Resource::kRobot, kCrudl, kR | kL, kR | kL, kR | kL, kNone, kNone},
    MatrixRow{Resource::kNotificationPolicy, kCrudl, kR | kL, kNone, kNone, kNone, kNone},
    MatrixRow{Resource::kScan, kC | kR | kS, kC | kR | kS, kR, kR, kR, kR},
    MatrixRow{Resource::kSbom, kC | kR | kS, kC | kR | kS, kR, kR, kR, kNone},
    MatrixRow{Resource::kScanner, kC | kR, kR, kR, kR, kR, kR},
    MatrixRow{Resource::kPreheatPolicy, kCrudl, kNone, kNone, kNone, kNone, kNone},
    MatrixRow{Resource::kExportCve, kC | kR | kL, kC | kR | kL, kC | kR | kL, kNone, kNone, kNone},
};

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kMatrix.size(); ++i) {
    if (static_cast<std::size_t>(kMatrix.at(i).resource) != i) {
      return false;
    }
  }
  return true;
}
static_assert(rows_are_in_order(), "the matrix is indexed by Resource");
static_assert(kMatrix.size() == static_cast<std::size_t>(Resource::kCatalog),
              "every resource of a project has a row");

const MatrixRow* row_of(Resource resource) {
  const auto index = static_cast<std::size_t>(resource);
  return index < kMatrix.size() ? &kMatrix.at(index) : nullptr;
}

Actions actions_of(const MatrixRow& row, Role role) {
  switch (role) {
    case Role::kProjectAdmin:
      return row.admin;
    case Role::kMaintainer:
      return row.maintainer;
    case Role::kDeveloper:
      return row.developer;
    case Role::kGuest:
      return row.guest;
    case Role::kLimitedGuest:
      return row.limited_guest;
  }
  return kNone;
}

}  // namespace

std::optional<Role> role_from_id(std::int64_t id) {
  if (id < static_cast<std::int64_t>(Role::kProjectAdmin) ||
      id > static_cast<std::int64_t>(Role::kLimitedGuest)) {
    return std::nullopt;
  }
  return static_cast<Role>(id);
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kProjectAdmin:
      return "projectAdmin";
    case Role::kDeveloper:
      return "developer";
    case Role::kGuest:
      return "guest";
    case Role::kMaintainer:
      return "maintainer";
    case Role::kLimitedGuest:
      return "limitedGuest";
  }
  return {};
}

std::string_view to_string(Resource resource) {
  switch (resource) {
    case Resource::kProject:
      return "project";
    case Resource::kMember:
      return "member";
    case Resource::kMetadata:
      return "metadata";
    case Resource::kConfiguration:
    case Resource::kSystemConfiguration:
      return "configuration";
    case Resource::kQuota:
      return "quota";
    case Resource::kLog:
      return "log";
    case Resource::kLabel:
      return "label";
    case Resource::kRepository:
      return "repository";
    case Resource::kArtifact:
      return "artifact";
    case Resource::kArtifactAddition:
      return "artifact-addition";
    case Resource::kAccessory:
      return "accessory";
    case Resource::kArtifactLabel:
      return "artifact-label";
    case Resource::kTag:
      return "tag";
    case Resource::kTagRetention:
      return "tag-retention";
    case Resource::kImmutableTag:
      return "immutable-tag";
    case Resource::kRobot:
      return "robot";
    case Resource::kNotificationPolicy:
      return "notification-policy";
    case Resource::kScan:
      return "scan";
    case Resource::kSbom:
      return "sbom";
    case Resource::kScanner:
      return "scanner";
    case Resource::kPreheatPolicy:
      return "preheat-policy";
    case Resource::kExportCve:
      return "export-cve";
    case Resource::kCatalog:
      return "catalog";
    case Resource::kUser:
      return "user";
    case Resource::kGarbageCollection:
      return "garbage-collection";
    case Resource::kSystemVolumes:
      return "system-volumes";
  }
  return {};
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::kCreate:
      return "create";
    case Action::kRead:
      return "read";
    case Action::kUpdate:
      return "update";
    case Action::kDelete:
      return "delete";
    case Action::kList:
      return "list";
    case Action::kPull:
      return "pull";
    case Action::kPush:
      return "push";
    case Action::kOperate:
      return "operate";
    case Action::kStop:
      return "stop";
    case Action::kScannerPull:
      return "scanner-pull";
  }
  return {};
}

bool role_allows(Role role, Resource resource, Action action) {
  const MatrixRow* row = row_of(resource);
  return row != nullptr && (actions_of(*row, role) & bit(action)) != 0;
}

bool public_allows(Resource resource, Action action) {
  const MatrixRow* row = row_of(resource);
  return row != nullptr && (row->anyone_in_public & bit(action)) != 0;
}

}  // namespace roadstead::auth
