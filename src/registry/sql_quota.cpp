#include <array>
#include <string_view>

#include <fmt/format.h>

#include "json/json.h"
#include "registry/internal/push_rows.h"
#include "registry/internal/quota.h"

namespace roadstead::registry::internal {
namespace {

/// "39.1 KiB", as Harbor writes amounts of storage.
std::string readable(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) {
    return fmt::format("{} B", bytes);
  }
  double amount = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", amount, kUnits.at(unit));
}

/// Of its limit, from which on people want to know.
constexpr std::int64_t kWarningPercent = 85;

/// The event that Harbor calls QUOTA_WARNING: usage passes the mark with this change.
Result<void> warn(db::WriteSession& session, ProjectId project, const Quota& quota,
                  std::int64_t adding) {
  json::Writer event;
  event.begin_object();
  event.member("project_id", project.value);
  event.member("used", quota.used + adding);
  event.member("hard_limit", quota.limit);
  event.member("message", fmt::format("quota usage reach {}%: {} of {} are used", kWarningPercent,
                                      readable(quota.used + adding), readable(quota.limit)));
  event.end_object();
  return emit_event(session, "QUOTA_WARNING", event.take());
}

}  // namespace

Result<Quota> read_quota(db::ReadSession& session, ProjectId project) {
  Quota quota;
  TRY(session.each("SELECT hard_limit, used FROM quota WHERE project_id = ?", {project},
                   [&](const db::Row& row) {
                     quota.limit = row.integer(0);
                     quota.used = row.integer(1);
                     return false;
                   }));
  if (quota.unlimited()) {
    return quota;  // Nothing to compare with: an unlimited project never pays for the sum.
  }
  TRY(session.each("SELECT SUM(bytes) FROM quota_delta WHERE project_id = ?", {project},
                   [&](const db::Row& row) {
                     quota.used += row.integer(0);
                     return false;
                   }));
  return quota;
}

Error quota_exceeded(const Quota& quota, std::int64_t adding) {
  return Error{Code::kDenied,
               Subject::kQuota,
               fmt::format("adding {} of storage resource, which when updated to current usage of "
                           "{} will exceed the configured upper limit of {}.",
                           readable(adding), readable(quota.used), readable(quota.limit)),
               {}};
}

Result<void> charge(db::WriteSession& session, ProjectId project, std::int64_t bytes) {
  if (bytes == 0) {
    return {};
  }
  Quota quota = TRY(read_quota(session, project));
  if (!quota.unlimited() &&
      TRY(session.lock("SELECT used FROM quota WHERE project_id = ? FOR NO KEY UPDATE",
                       {project}))) {
    quota = TRY(read_quota(session, project));
  }
  if (quota.unlimited()) {
    // Appended, so that no two pushes want one row; folded later (registry/upkeep.h).
    TRY(session.insert("INSERT INTO quota_delta (project_id, bytes) VALUES (?, ?)",
                       {project, bytes}));
    return {};
  }
  if (bytes > 0) {
    if (quota.used > quota.limit || bytes > quota.limit - quota.used) {
      return quota_exceeded(quota, bytes);
    }
    const std::int64_t warning = quota.limit / 100 * kWarningPercent;
    if (quota.used < warning && quota.used + bytes >= warning) {
      TRY(warn(session, project, quota, bytes));
    }
  }
  // Compared just now, so the row is wanted anyway; a ledger would have to be summed each time.
  TRY(session.execute("UPDATE quota SET used = used + ?, update_time = ? WHERE project_id = ?",
                      {bytes, session.now(), project}));
  return {};
}

}  // namespace roadstead::registry::internal
