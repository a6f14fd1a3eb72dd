#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "registry/upkeep.h"

namespace roadstead::registry {
namespace {

/// Rows that one statement removes.
constexpr std::size_t kPerStatement = 16;

/// Exactly these: on a server, rows with a lower id may be committed after they were read.
Result<void> remove_folded(db::WriteSession& session, std::span<const std::int64_t> ids) {
  constexpr std::string_view kSql =
      "DELETE FROM quota_delta WHERE id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  while (!ids.empty()) {
    const std::size_t count = std::min(ids.size(), kPerStatement);
    std::vector<db::Param> params(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    params.resize(kPerStatement, db::Param(ids.front()));
    TRY(session.execute(kSql, params));
    ids = ids.subspan(count);
  }
  return {};
}

}  // namespace

Result<std::size_t> fold_quota(db::Database& database, std::size_t count) {
  const auto fold = [&](db::WriteSession& session) -> Result<std::size_t> {
    std::map<ProjectId, std::int64_t> sums;
    std::vector<std::int64_t> ids;
    TRY(session.each("SELECT id, project_id, bytes FROM quota_delta ORDER BY id LIMIT ? FOR UPDATE",
                     {count}, [&](const db::Row& row) {
                       ids.push_back(row.integer(0));
                       sums[row.id<ProjectId>(1)] += row.integer(2);
                       return true;
                     }));
    for (const auto& [project, bytes] : sums) {
      TRY(session.execute("UPDATE quota SET used = used + ?, update_time = ? WHERE project_id = ?",
                          {bytes, session.now(), project}));
    }
    TRY(remove_folded(session, ids));
    return ids.size();
  };
  // What a loss of power undoes is done again: the ledger comes back with it.
  return database.write(fold, db::Durability::kProcessDeath);
}

}  // namespace roadstead::registry
