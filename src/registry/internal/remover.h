#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "registry/internal/content.h"

namespace roadstead::registry::internal {

/// Who removes what nobody asked for by name, in histories and events.
inline constexpr std::string_view kCollectorName = "garbage collection";

/// Whether what is attached to an artifact stays as an artifact of its own when that goes: the
/// project's metadatum `keep_referrers`.
Result<bool> keeps_referrers(db::ReadSession& session, ProjectId project);

/// Removes artifacts of one repository inside one transaction, as far as its budget of rows allows.
class Remover {
 public:
  struct Scope {
    Holder holder;
    std::string_view repository_name;
    std::string_view operator_name;
    /// The whole repository goes: edges between its artifacts protect nothing.
    bool whole_repository = false;
  };
  static constexpr std::int64_t kBudget = 1'000;

  Remover(db::WriteSession& session, Scope scope) : session_(session), scope_(scope) {}

  /// Removes the artifact's untagged, parentless referrers, theirs before them, and then itself.
  /// False when the budget ran out first: what was removed is gone for good reason, the artifact is
  /// still there, and another transaction goes on.
  Result<bool> remove(ArtifactId artifact);
  /// Former children of removed indexes that nothing keeps: no tag, no parent, no live lease.
  Result<std::vector<ArtifactId>> loose_children();
  /// Digests of the artifacts that are gone.
  [[nodiscard]] const std::vector<std::string>& removed() const { return removed_; }
  /// Rows that it took so far.
  [[nodiscard]] std::int64_t spent() const { return spent_; }
  [[nodiscard]] bool exhausted() const { return spent_ >= kBudget; }

 private:
  struct Frame {
    ArtifactId artifact;
    std::string digest;
    std::int64_t last_referrer = 0;
  };
  Result<bool> keeps_referrers();
  Result<std::optional<Frame>> next_referrer(Frame& subject);
  /// `subject`: whose removal takes it along, or empty.
  Result<bool> remove_one(const Frame& frame, std::string_view subject);
  Result<std::vector<std::string>> remove_tags(const Frame& frame);
  Result<void> remove_edges(ArtifactId artifact);
  Result<void> remove_row(const Frame& frame, const std::vector<std::string>& tags,
                          std::string_view subject);
  Result<void> throw_away(const Frame& frame, std::string_view tags, std::string_view subject);

  db::WriteSession& session_;
  Scope scope_;
  std::int64_t spent_ = 0;
  std::optional<bool> keeps_referrers_;  ///< Read on first need.
  std::vector<ArtifactId> former_children_;
  std::vector<std::string> removed_;
};

}  // namespace roadstead::registry::internal
