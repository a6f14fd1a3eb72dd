#include "fsck/check.h"

#include <optional>
#include <utility>

#include "fsck/internal/pass.h"

namespace roadstead::fsck {
namespace internal {

bool Wanted::add(const registry::MissingEdge& edge) {
  if (count >= kMax) {
    complete = false;
    return false;
  }
  edges[edge.digest].push_back(edge);
  ++count;
  return true;
}

Result<void> Pass::go_on() const {
  if (stop.stop_requested()) {
    return Error{Code::kUnavailable, Subject::kNone, "the check was stopped", {}};
  }
  return {};
}

Result<bool> Pass::repair(const std::function<Result<bool>(db::WriteSession&)>& fix) const {
  if (!options.repair) {
    return false;
  }
  return stores.database.write(fix);
}

}  // namespace internal

Result<Report> Check::run(const std::stop_token& stop) {
  internal::Pass pass{{parts_.database, parts_.store, parts_.locks}, options_, stop};
  // Lists first, because correcting rows moves entries of lists; files after edges, which tell what
  // is wanted; quotas after all that changes what a project counts.
  struct Stage {
    const char* name;
    Result<void> (*check)(internal::Pass&);
    std::optional<CheckOptions::Extent> also_for{};
  };
  const Stage stages[] = {
      {"lists", internal::check_lists},
      {"manifests", internal::check_manifests},
      {"rows", internal::check_rows},
      {"uploads", internal::check_staged, CheckOptions::Extent::kStaged},
      {"files", internal::check_files, CheckOptions::Extent::kFiles},
      {"quotas", internal::check_quota},
      {"blobs", internal::check_blobs},
  };
  for (const Stage& stage : stages) {
    if (options_.extent == CheckOptions::Extent::kAll || options_.extent == stage.also_for) {
      stage_ = stage.name;
      TRY(stage.check(pass));
    }
  }
  return std::move(pass.report);
}

}  // namespace roadstead::fsck
