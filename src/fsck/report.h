#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"

namespace roadstead::fsck {

/// Something that is not as it should be.
struct Finding {
  std::string kind;  ///< Stable: scripts know it (docs/fsck.md).
  std::string object;
  std::string detail;
  bool repaired = false;
};

/// What a check found: all of it counted, the first findings in full.
class Report {
 public:
  /// So many are kept: enough to see what is wrong, whatever the size of the store.
  static constexpr std::size_t kFindingsMax = 1'000;

  void add(Finding finding);

  struct Total {
    std::uint64_t found = 0;
    std::uint64_t repaired = 0;
  };
  [[nodiscard]] std::uint64_t found() const { return found_; }
  [[nodiscard]] std::uint64_t repaired() const { return repaired_; }
  [[nodiscard]] const std::map<std::string, Total>& totals() const { return totals_; }
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

  /// What was looked at.
  std::uint64_t rows = 0;
  std::uint64_t blobs = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  ///< Read and hashed.

 private:
  std::map<std::string, Total> totals_;
  std::vector<Finding> findings_;
  std::uint64_t found_ = 0;
  std::uint64_t repaired_ = 0;
};

/// One JSON object; findings stop where `size_max` bytes would be exceeded, totals are always
/// there. `truncated` tells that there are more.
std::string to_json(const Report& report, std::size_t size_max);
/// The same for people, from the JSON: whoever printed it need not be who made it. Errors: kInvalid
/// + kRequest.
Result<std::string> to_text(json::Value report);

}  // namespace roadstead::fsck
