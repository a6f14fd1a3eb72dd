#pragma once

#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "fsck/check.h"
#include "fsck/internal/verify.h"
#include "fsck/report.h"
#include "registry/check.h"

namespace roadstead::fsck::internal {

/// Edges that lead to content without a row, by its digest: its file is no leak but a loss.
struct Wanted {
  /// Beyond so many, files without rows are left alone.
  static constexpr std::size_t kMax = 10'000;
  std::map<std::string, std::vector<registry::MissingEdge>, std::less<>> edges;
  std::set<std::string, std::less<>> adopted;  ///< Digests whose row is back.
  std::size_t count = 0;
  bool complete = true;

  /// False when there is no room for it.
  bool add(const registry::MissingEdge& edge);
};

inline constexpr std::string_view kTargetLost = "what it leads to is not here";

/// What the parts of one check share.
struct Pass {
  Stores stores;
  const CheckOptions& options;
  const std::stop_token& stop;
  Report report{};
  Wanted wanted{};

  /// Errors: kUnavailable + kNone when somebody wants it to stop.
  [[nodiscard]] Result<void> go_on() const;
  /// Runs `fix` when the check may repair; false otherwise.
  Result<bool> repair(const std::function<Result<bool>(db::WriteSession&)>& fix) const;
};

/// Counted lists against the rows that are listed.
Result<void> check_lists(Pass& pass);
/// Manifests against their digests, and the edges that they demand.
Result<void> check_manifests(Pass& pass);
/// Rows against each other (registry::row_checks()).
Result<void> check_rows(Pass& pass);
/// Usage of projects against their content.
Result<void> check_quota(Pass& pass);
/// Staged bytes that no upload is about.
Result<void> check_staged(Pass& pass);
/// Published content that no row names. After check_manifests(), which tells what is wanted.
Result<void> check_files(Pass& pass);
/// Blobs whose content is missing or another.
Result<void> check_blobs(Pass& pass);

}  // namespace roadstead::fsck::internal
