#include "project/project.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <utility>

#include "base/text.h"

namespace roadstead::project {
namespace {

constexpr std::size_t kNameMax = 255;

// "keep_referrers" is ours: what is attached to an artifact outlives it. Those of proxy projects
// come with proxy projects; "retention_id" is set with a retention policy.
constexpr std::array<std::string_view, 9> kKeys{
    "public",    "enable_content_trust", "enable_content_trust_cosign", "prevent_vul",   "severity",
    "auto_scan", "auto_sbom_generation", "reuse_sys_cve_allowlist",     "keep_referrers"};
constexpr std::array<std::string_view, 7> kSeverities{"none",   "unknown", "negligible", "low",
                                                      "medium", "high",    "critical"};

bool is_name_character(char c) {
  return is_lower(c) || is_digit(c);
}

/// "negligible" counts as "none", as for those who compare.
std::optional<std::string> parse_severity(std::string_view text) {
  std::string lower = to_lower(text);
  if (std::find(kSeverities.begin(), kSeverities.end(), lower) == kSeverities.end()) {
    return std::nullopt;
  }
  return lower == "negligible" ? "none" : lower;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// The spellings of Go, in which Harbor's clients were made.
std::optional<std::string> parse_boolean(std::string_view text) {
  if (is_one_of(text, {"1", "t", "T", "true", "TRUE", "True"})) {
    return "true";
  }
  if (is_one_of(text, {"0", "f", "F", "false", "FALSE", "False"})) {
    return "false";
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto number = parse_int64(negative ? text.substr(1) : text);
  if (!number || *number > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return negative ? -*number : *number;
}

Error bad_metadata(std::string message) {
  return {Code::kInvalid, Subject::kMetadata, std::move(message), {}};
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
      accepted[key] = key == "severity" ? parse_severity(value).value_or("unknown") : value;
    }
  }
  return accepted;
}

Result<std::string> check_metadatum(std::string_view key, std::string_view value) {
  if (is_one_of(key, {"proxy_cache_filter_pattern", "proxy_cache_filter_kind"})) {
    return bad_metadata("can not update the normal project with proxy cache filter metadata");
  }
  const bool boolean =
      key != "severity" && std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
  const bool number = is_one_of(key, {"proxy_speed_kb", "max_upstream_conn"});
  std::optional<std::string> normal;
  if (boolean || is_one_of(key, {"proxy_referrer_api", "proxy_cache_local_on_not_found"})) {
    normal = parse_boolean(value);
  } else if (key == "severity") {
    normal = parse_severity(value);
  } else if (number) {
    normal = parse_number(value) ? std::optional(std::string(value)) : std::nullopt;
  } else {
    return bad_metadata("invalid key: " + std::string(key));
  }
  if (!normal) {
    return bad_metadata("invalid value: " + std::string(value));
  }
  // -1: as many as there are.
  if (key == "max_upstream_conn" && *parse_number(value) != -1 && *parse_number(value) <= 0) {
    return bad_metadata("invalid value for max_upstream_conn: " + std::string(value));
  }
  return std::move(*normal);
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
