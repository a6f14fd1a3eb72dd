#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "auth/permission.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"

namespace roadstead::project {

/// Settings of a project as texts, by name: "public", "auto_scan", "severity", …
using Metadata = std::map<std::string, std::string>;

struct Project {
  ProjectId id;
  std::string name;
  UserId owner;
  std::string owner_name;
  bool is_public = false;
  Time created_at{};
  Time updated_at{};
  std::optional<auth::Role> caller_role;  ///< Of whoever asked.
  std::int64_t repository_count = 0;
  Metadata metadata;
};

struct NewProject {
  std::string name;
  UserId owner;
  Metadata metadata;
  std::int64_t storage_limit = -1;  ///< Bytes; -1: none.
};

/// What a project's front page tells.
struct Summary {
  std::int64_t repository_count = 0;
  std::map<auth::Role, std::int64_t> members;  ///< Number of people in each role.
  std::int64_t storage_limit = -1;
  std::int64_t storage_used = 0;
};

inline constexpr std::int64_t kStorageLimitMax = std::int64_t{1} << 50U;  ///< 1,024 TiB.

/// [a-z0-9]+([._-][a-z0-9]+)*, at most 255 characters. Errors: kInvalid + kProject.
Result<void> check_project_name(std::string_view name);
/// -1, or 1 to kStorageLimitMax; 0 means -1 as well. Errors: kInvalid + kQuota.
Result<std::int64_t> check_storage_limit(std::int64_t bytes);

/// What of `asked` a project may be created or changed with: unknown keys and keys that only proxy
/// projects have are left out, severities are spelled as they are compared. Errors: kInvalid +
/// kMetadata for a retention policy, which is attached elsewhere.
Result<Metadata> accepted_metadata(const Metadata& asked);
/// `value` as it is stored under `key` ("True" → "true"). Errors: kInvalid + kMetadata for a key
/// that a project cannot have and a value that does not fit.
Result<std::string> check_metadatum(std::string_view key, std::string_view value);
/// "true" or "false", for a new project. Errors: kInvalid + kMetadata.
Result<void> check_public(const Metadata& metadata);

}  // namespace roadstead::project
