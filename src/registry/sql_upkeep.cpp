#include <map>

#include "registry/upkeep.h"

namespace roadstead::registry {

Result<std::size_t> fold_quota(db::Database& database, std::size_t count) {
  const auto fold = [&](db::WriteSession& session) -> Result<std::size_t> {
    std::map<ProjectId, std::int64_t> sums;
    std::size_t folded = 0;
    std::int64_t last = 0;
    TRY(session.each("SELECT id, project_id, bytes FROM quota_delta ORDER BY id LIMIT ?", {count},
                     [&](const db::Row& row) {
                       last = row.integer(0);
                       sums[row.id<ProjectId>(1)] += row.integer(2);
                       ++folded;
                       return true;
                     }));
    if (folded == 0) {
      return folded;
    }
    for (const auto& [project, bytes] : sums) {
      TRY(session.execute("UPDATE quota SET used = used + ?, update_time = ? WHERE project_id = ?",
                          {bytes, session.now(), project}));
    }
    TRY(session.execute("DELETE FROM quota_delta WHERE id <= ?", {last}));
    return folded;
  };
  // What a loss of power undoes is done again: the ledger comes back with it.
  return database.write(fold, db::Durability::kProcessDeath);
}

}  // namespace roadstead::registry
