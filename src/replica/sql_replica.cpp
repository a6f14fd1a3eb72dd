#include "replica/internal/replica_rows.h"
#include "replica/replica.h"

namespace roadstead::replica {
namespace {

/// How long the rows of dead replicas stay for people to look at.
constexpr std::chrono::hours kRemembered{24};
/// More than anybody runs, and a bound.
constexpr std::int64_t kListed = 1'000;

}  // namespace

Result<std::vector<Replica>> living_replicas(db::ReadSession& session) {
  return session.all(
      "SELECT id, host, roles, version, started_at, heartbeat_at FROM replica WHERE heartbeat_at > "
      "? ORDER BY started_at, id LIMIT ?",
      {session.now() - kSilenceMax, kListed}, [](const db::Row& row) {
        return Replica{std::string(row.text(0)),
                       std::string(row.text(1)),
                       std::string(row.text(2)),
                       std::string(row.text(3)),
                       row.time(4),
                       row.time(5)};
      });
}

Result<bool> is_alive(db::ReadSession& session, std::string_view id) {
  const auto alive =
      TRY(session.first("SELECT 1 FROM replica WHERE id = ? AND heartbeat_at > ?",
                        {id, session.now() - kSilenceMax}, [](const db::Row&) { return true; }));
  return alive.value_or(false);
}

Result<void> lock_turn(db::WriteSession& session, std::string_view name) {
  const std::int64_t found =
      TRY(session.execute("UPDATE turn SET name = name WHERE name = ?", {name}));
  if (found == 0) {
    TRY(session.execute("INSERT INTO turn (name, holder, held_until) VALUES (?, '', 0)", {name}));
  }
  return {};
}

namespace internal {

Result<void> beat(db::WriteSession& session, const Replica& replica) {
  const Time now = session.now();
  const std::int64_t known =
      TRY(session.execute("UPDATE replica SET heartbeat_at = ? WHERE id = ?", {now, replica.id}));
  if (known == 0) {
    TRY(
        session.execute("INSERT INTO replica (id, host, roles, version, started_at, heartbeat_at) "
                        "VALUES (?, ?, ?, ?, ?, ?)",
                        {replica.id, replica.host, replica.roles, replica.version, now, now}));
    TRY(session.execute("DELETE FROM replica WHERE heartbeat_at < ?", {now - kRemembered}));
  }
  TRY(session.execute("UPDATE turn SET held_until = ? WHERE holder = ? AND held_until > ?",
                      {now + kSilenceMax, replica.id, now}));
  return {};
}

Result<void> leave(db::WriteSession& session, std::string_view id) {
  TRY(session.execute("UPDATE turn SET holder = '', held_until = 0 WHERE holder = ?", {id}));
  TRY(session.execute("DELETE FROM replica WHERE id = ?", {id}));
  return {};
}

Result<bool> take_turn(db::WriteSession& session, std::string_view name, std::string_view id) {
  TRY(lock_turn(session, name));
  const Time now = session.now();
  const std::int64_t taken = TRY(session.execute(
      "UPDATE turn SET holder = ?, held_until = ? WHERE name = ? AND (holder = ? OR held_until <= "
      "?)",
      {id, now + kSilenceMax, name, id, now}));
  return taken > 0;
}

}  // namespace internal
}  // namespace roadstead::replica
