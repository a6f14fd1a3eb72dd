#include <map>
#include <span>
#include <string>
#include <vector>

#include "registry/internal/batch.h"
#include "registry/upkeep.h"

namespace roadstead::registry {
namespace {

/// Exactly these: on a server, rows with a lower id may be committed after they were read.
Result<void> remove_folded(db::WriteSession& session, std::span<const std::int64_t> ids) {
  static const std::string kSql =
      "DELETE FROM quota_delta WHERE id IN " + std::string(internal::kBatchList);
  return internal::in_batches(ids, [&](std::span<const std::int64_t> some) -> Result<void> {
    TRY(session.execute(kSql, internal::batch_params({}, some)));
    return {};
  });
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
