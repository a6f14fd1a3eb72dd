#include "registry/internal/content.h"
#include "registry/internal/queues.h"

namespace roadstead::registry::internal {

Result<std::vector<Question>> due_questions(db::ReadSession& session, Time until,
                                            std::size_t count) {
  return session.all(
      "SELECT id, kind, repository_id, object_id, due_at FROM review WHERE due_at <= ? "
      "ORDER BY due_at, id LIMIT ?",
      {std::min(session.now(), until), count}, [](const db::Row& row) {
        return Question{row.integer(0), std::string(row.text(1)), row.id<RepositoryId>(2),
                        row.integer(3), row.time(4)};
      });
}

Result<void> postpone(db::WriteSession& session, const Question& question, Time due) {
  TRY(session.execute("UPDATE review SET due_at = ? WHERE id = ?", {due, question.id}));
  return {};
}

Result<std::vector<ArtifactId>> untagged_after(db::ReadSession& session, ArtifactId after,
                                               std::size_t count) {
  return session.all(
      "SELECT artifact_id FROM untagged WHERE artifact_id > ? ORDER BY artifact_id LIMIT ?",
      {after, count}, [](const db::Row& row) { return row.id<ArtifactId>(0); });
}

Result<std::size_t> forget_trash(db::WriteSession& session, Time until, std::size_t count) {
  struct Trash {
    std::int64_t id;
    std::int64_t manifest;
  };
  const auto old = TRY(session.all(
      "SELECT id, manifest_id FROM artifact_trash WHERE op_time <= ? ORDER BY op_time, id LIMIT ?",
      {until, count}, [](const db::Row& row) { return Trash{row.integer(0), row.integer(1)}; }));
  for (const Trash& trash : old) {
    TRY(session.execute("DELETE FROM artifact_trash WHERE id = ?", {trash.id}));
    TRY(review(session, Review::kManifest, RepositoryId{}, trash.manifest, session.now()));
  }
  return old.size();
}

Result<std::vector<Queued>> queued_contents(db::ReadSession& session, std::size_t count) {
  return session.all(
      "SELECT location, digest FROM deleting WHERE added_at <= ? ORDER BY location "
      "LIMIT ?",
      {session.now(), count}, [](const db::Row& row) {
        return Queued{storage::Location{std::string(row.text(0))}, std::string(row.text(1))};
      });
}

Result<bool> is_named(db::ReadSession& session, const Queued& queued) {
  const auto named = TRY(session.first("SELECT 1 FROM blob WHERE digest = ? AND location = ?",
                                       {queued.digest, queued.location.value},
                                       [](const db::Row&) { return true; }));
  return named.has_value();
}

Result<void> unqueue(db::WriteSession& session, const Queued& queued) {
  TRY(session.execute("DELETE FROM deleting WHERE location = ?", {queued.location.value}));
  return {};
}

}  // namespace roadstead::registry::internal
