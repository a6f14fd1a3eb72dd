#include <vector>

#include "registry/history.h"

namespace roadstead::registry {
namespace {

TagEvent event_from(const db::Row& row) {
  return {row.integer(0), std::string(row.text(1)), std::string(row.text(2)),
          std::string(row.text(3)), row.time(4)};
}

struct Page {
  std::vector<std::int64_t> doomed;
  std::int64_t last = 0;
  std::size_t looked_at = 0;
};

Result<Page> find_doomed(db::ReadSession& session, const HistoryPolicy& policy, std::int64_t after,
                         std::size_t count) {
  // Given up: what the policy's number of newer changes follows; what is too old, unless it is what
  // an existing tag came from; what belongs to no repository any more.
  constexpr std::string_view kSql =
      "SELECT h.id, CASE WHEN "
      "(SELECT n.id FROM tag_history n WHERE n.repository_id = h.repository_id AND n.name = h.name "
      "AND n.id > h.id ORDER BY n.id LIMIT 1 OFFSET ?) IS NOT NULL "
      "OR (h.op_time < ? AND (EXISTS (SELECT 1 FROM tag_history n WHERE n.repository_id = "
      "h.repository_id AND n.name = h.name AND n.id > h.id) OR NOT EXISTS (SELECT 1 FROM tag t "
      "WHERE t.repository_id = h.repository_id AND t.name = h.name))) "
      "OR NOT EXISTS (SELECT 1 FROM repository r WHERE r.id = h.repository_id) "
      "THEN 1 ELSE 0 END FROM tag_history h WHERE h.id > ? ORDER BY h.id LIMIT ?";
  Page page;
  TRY(session.each(kSql, {policy.rows_max - 1, session.now() - policy.age_max, after, count},
                   [&](const db::Row& row) {
                     page.last = row.integer(0);
                     ++page.looked_at;
                     if (row.boolean(1)) {
                       page.doomed.push_back(page.last);
                     }
                     return true;
                   }));
  return page;
}

}  // namespace

Result<auth::Page<TagEvent>> list_tag_history(db::ReadSession& session, RepositoryId repository,
                                              std::string_view tag, const auth::ListQuery& query) {
  auth::Page<TagEvent> page;
  page.total =
      TRY(session.first("SELECT COUNT(*) FROM tag_history WHERE repository_id = ? AND name = ?",
                        {repository, tag}, [](const db::Row& row) { return row.integer(0); }))
          .value_or(0);
  page.items = TRY(session.all(
      "SELECT id, digest, operation, operator, op_time FROM tag_history WHERE repository_id = ? "
      "AND name = ? ORDER BY id DESC LIMIT ? OFFSET ?",
      {repository, tag, query.limit(), query.offset()}, event_from));
  return page;
}

Result<std::optional<TagAt>> tag_at(db::ReadSession& session, RepositoryId repository,
                                    std::string_view tag, Time at) {
  auto since = TRY(session.first(
      "SELECT id, digest, operation, operator, op_time FROM tag_history WHERE repository_id = ? "
      "AND name = ? AND op_time <= ? ORDER BY id DESC LIMIT 1",
      {repository, tag, at}, event_from));
  if (!since || since->operation == "delete") {
    return std::optional<TagAt>();
  }
  TagAt found{std::move(*since), {}, false};
  found.until = TRY(session.first(
      "SELECT op_time FROM tag_history WHERE repository_id = ? AND name = ? AND id > ? ORDER BY id "
      "LIMIT 1",
      {repository, tag, found.since.id}, [](const db::Row& row) { return row.time(0); }));
  found.present =
      TRY(session.first("SELECT 1 FROM artifact WHERE repository_id = ? AND digest = ?",
                        {repository, found.since.digest}, [](const db::Row&) { return true; }))
          .value_or(false);
  return std::optional(std::move(found));
}

Result<std::int64_t> trim_tag_history(db::Database& database, const HistoryPolicy& policy,
                                      std::int64_t after, std::size_t count) {
  CHECK(policy.rows_max > 0);
  const Page page = TRY(database.read(
      [&](db::ReadSession& session) { return find_doomed(session, policy, after, count); }));
  if (!page.doomed.empty()) {
    // Newer changes only ever come, so what was given up a moment ago still is.
    const auto remove = [&](db::WriteSession& session) -> Result<void> {
      for (const std::int64_t id : page.doomed) {
        TRY(session.execute("DELETE FROM tag_history WHERE id = ?", {id}));
      }
      return {};
    };
    TRY(database.write(remove));
  }
  return page.looked_at < count ? 0 : page.last;
}

}  // namespace roadstead::registry
