#include "project/project.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace roadstead::project {
namespace {

constexpr std::size_t kNameMax = 255;

// Those of proxy projects come with proxy projects; "retention_id" is set with a retention policy.
constexpr std::array<std::string_view, 8> kKeys{
    "public",    "enable_content_trust", "enable_content_trust_cosign", "prevent_vul", "severity",
    "auto_scan", "auto_sbom_generation", "reuse_sys_cve_allowlist"};
constexpr std::array<std::string_view, 7> kSeverities{"none",   "unknown", "negligible", "low",
                                                      "medium", "high",    "critical"};

bool is_name_character(char c) {
  return is_lower(c) || is_digit(c);
}

std::string normal_severity(std::string_view text) {
  std::string lower = to_lower(text);
  const bool known = std::find(kSeverities.begin(), kSeverities.end(), lower) != kSeverities.end();
  return known ? lower : "unknown";
}

}  // namespace

Result<void> check_project_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax) {
    return Error{Code::kInvalid,
                 Subject::kProject,
                 "Project name " + std::string(name) +
                     " is illegal in length. (greater than 255 or less than 1)",
                 {}};
  }
  bool after_separator = true;
  for (const char c : name) {
    const bool separator = c == '.' || c == '_' || c == '-';
    if ((separator && after_separator) || (!separator && !is_name_character(c))) {
      after_separator = true;
      break;
    }
    after_separator = separator;
  }
  if (after_separator) {
    return Error{Code::kInvalid,
                 Subject::kProject,
                 "project name is not in lower case or contains illegal characters",
                 {}};
  }
  return {};
}

Result<std::int64_t> check_storage_limit(std::int64_t bytes) {
  if (bytes == 0) {
    return std::int64_t{-1};
  }
  if (bytes < -1) {
    return Error{
        Code::kInvalid,
        Subject::kQuota,
        "bad request: invalid non-positive value for quota limit, value=" + std::to_string(bytes),
        {}};
  }
  if (bytes > kStorageLimitMax) {
    return Error{Code::kInvalid,
                 Subject::kQuota,
                 "bad request: exceeded 1024TB, which is " + std::to_string(kStorageLimitMax) +
                     " Bytes, value=" + std::to_string(bytes),
                 {}};
  }
  return bytes;
}

Result<Metadata> accepted_metadata(const Metadata& asked) {
  const auto retention = asked.find("retention_id");
  if (retention != asked.end() && !retention->second.empty()) {
    return Error{Code::kInvalid,
                 Subject::kMetadata,
                 "bad request: the retention_id in the request's payload should be omitted, "
                 "alternatively passing an empty string",
                 {}};
  }
  Metadata accepted;
  for (const auto& [key, value] : asked) {
    const bool known = std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
    if (known && !value.empty()) {
      accepted[key] = key == "severity" ? normal_severity(value) : value;
    }
  }
  return accepted;
}

Result<void> check_public(const Metadata& metadata) {
  const auto value = metadata.find("public");
  if (value != metadata.end() && value->second != "true" && value->second != "false") {
    return Error{
        Code::kInvalid,
        Subject::kMetadata,
        "metadata.public should only be 'true' or 'false', but got: '" + value->second + "'",
        {}};
  }
  return {};
}

}  // namespace roadstead::project
