#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "registry/internal/place.h"
#include "registry/internal/upload_id.h"
#include "registry/internal/upload_rows.h"

namespace roadstead::registry::internal {
namespace {

constexpr std::string_view kNewPrefix = "new:";
constexpr int kRowColumns = 9;
constexpr std::string_view kColumns =
    "up.id, up.project_id, up.repository_id, up.generation, up.byte_offset, up.storage_token, "
    "up.boot_id, up.expires_at, up.content";

UploadRow upload_from(const db::Row& row, int at) {
  static_assert(kRowColumns == 9);
  return UploadRow{std::string(row.text(at)),
                   row.id<ProjectId>(at + 1),
                   row.id<RepositoryId>(at + 2),
                   row.integer(at + 3),
                   static_cast<std::uint64_t>(row.integer(at + 4)),
                   std::string(row.text(at + 5)),
                   std::string(row.text(at + 6)),
                   row.time(at + 7),
                   std::string(row.text(at + 8)),
                   true};
}

db::Param content_param(const UploadRow& row) {
  return row.content.empty() ? db::Param(nullptr) : db::Param(bytes_of(row.content));
}

/// Staged bytes were written, not synced: they are void after another boot.
bool usable(const UploadRow& row, const Options& options, Time now) {
  return row.expires_at > now && (row.offset == 0 || row.boot_id == options.boot_id);
}

struct Limit {
  std::string_view column;
  db::Param value;
  std::int64_t max;
  std::string_view of;
};

/// The longest idle upload below one limit that nobody is writing to.
Result<std::optional<ExpiredUpload>> find_idle(db::ReadSession& session, const Options& options,
                                               const Limit& limit, const Running& running) {
  // Running requests keep moving their expiry, so one far enough from a full lifetime is idle.
  const Time now = session.now();
  std::optional<ExpiredUpload> idle;
  TRY(session.each(
      fmt::format("SELECT id, storage_token FROM upload WHERE {} = ? AND expires_at > ? AND "
                  "expires_at <= ? ORDER BY expires_at LIMIT ?",
                  limit.column),
      {limit.value, now, now + options.upload_lifetime - options.upload_idle, limit.max},
      [&](const db::Row& row) {
        ExpiredUpload found{std::string(row.text(0)), std::string(row.text(1))};
        if (running(found.id)) {
          return true;
        }
        idle = std::move(found);
        return false;
      }));
  return idle;
}

std::array<Limit, 2> limits_of(const Options& options, const UploadOwner& owner) {
  return {Limit{"identity", db::Param(owner.identity), options.uploads_per_identity_max,
                "one identity"},
          Limit{"project_id", db::Param(owner.project), options.uploads_per_project_max,
                "one project"}};
}

/// How there is room below one limit: there is, or after an idle upload is removed, or
/// kRateLimited.
Result<std::optional<ExpiredUpload>> find_room(db::ReadSession& session, const Options& options,
                                               const Limit& limit, const Running& running) {
  const auto open = TRY(session.first(
      fmt::format("SELECT COUNT(*) FROM upload WHERE {} = ? AND expires_at > ?", limit.column),
      {limit.value, session.now()}, [](const db::Row& row) { return row.integer(0); }));
  if (open.value_or(0) < limit.max) {
    return std::optional<ExpiredUpload>();
  }
  auto idle = TRY(find_idle(session, options, limit, running));
  if (!idle) {
    return Error{Code::kRateLimited, Subject::kUpload,
                 fmt::format("too many open uploads: at most {} of {}", limit.max, limit.of),
                 std::to_string(options.upload_idle.count())};
  }
  return idle;
}

/// What the id itself tells of an upload without a row.
std::optional<UploadRow> promised(const Options& options, const UploadPlace& place,
                                  std::string_view id) {
  const auto promise = read_upload_id(options.upload_key, place, id);
  if (!promise) {
    return std::nullopt;
  }
  UploadRow row;
  row.id = id;
  row.project = place.project;
  row.token = new_upload_token(promise->algorithm);
  row.expires_at = promise->expires_at;
  row.stored = false;
  return row;
}

}  // namespace

std::string new_upload_token(model::Algorithm algorithm) {
  return std::string(kNewPrefix).append(crypto::to_string(algorithm));
}

std::optional<model::Algorithm> algorithm_of_new(std::string_view token) {
  if (!token.starts_with(kNewPrefix)) {
    return std::nullopt;
  }
  const auto algorithm = model::parse_algorithm(token.substr(kNewPrefix.size()));
  return algorithm ? std::optional(*algorithm) : std::nullopt;
}

Error upload_unknown(std::string_view id) {
  return Error{Code::kNotFound, Subject::kUpload, "blob upload unknown to registry",
               std::string(id)};
}

Error upload_taken_over() {
  return Error{Code::kConflict, Subject::kUpload, "another request has taken this upload over", {}};
}

Result<SeenUpload> read_upload(db::ReadSession& session, const Options& options,
                               const Caller& caller, const model::RepositoryName& repository,
                               std::string_view id) {
  constexpr std::string_view kOpen =
      "CASE WHEN up.id IS NULL THEN (SELECT COUNT(*) FROM upload c WHERE c.identity = ? AND "
      "c.expires_at > ?) ELSE 0 END, CASE WHEN up.id IS NULL THEN (SELECT COUNT(*) FROM upload c "
      "WHERE c.project_id = p.id AND c.expires_at > ?) ELSE 0 END";
  static const std::string kSql =
      access_query(fmt::format("{}, {}, {}", kColumns, room_columns(), kOpen),
                   fmt::format("{} LEFT JOIN upload up ON up.id = ? AND up.repository_id = r.id {}",
                               kJoinRepository, kJoinQuota));
  constexpr int kRoom = kFirstColumn + kRowColumns;
  constexpr int kCounts = kRoom + kRoomColumnCount;
  const Time now = session.now();
  SeenUpload seen;
  bool found = false;
  const auto access =
      TRY(session.first(kSql,
                        {caller.principal.label(), now, now, caller.principal.user,
                         repository.path(), id, repository.project()},
                        [&](const db::Row& row) {
                          found = !row.is_null(kFirstColumn);
                          if (found) {
                            seen.row = upload_from(row, kFirstColumn);
                          }
                          seen.room = room_from(row, kRoom);
                          seen.open = {row.integer(kCounts), row.integer(kCounts + 1)};
                          return auth::ProjectAccess::from_row(row);
                        }));
  TRY(permit(caller, access, repository));
  if (!found) {
    auto row = promised(options, {access->project(), repository}, id);
    if (!row) {
      return upload_unknown(id);
    }
    seen.row = std::move(*row);
  }
  if (!usable(seen.row, options, now)) {
    return upload_unknown(id);
  }
  return seen;
}

Result<UploadRow> reload_upload(db::ReadSession& session, const Options& options,
                                const UploadRow& seen) {
  static const std::string kSql = fmt::format("SELECT {} FROM upload up WHERE up.id = ?", kColumns);
  auto row = TRY(
      session.first(kSql, {seen.id}, [](const db::Row& found) { return upload_from(found, 0); }));
  if (!row && !seen.stored) {
    return seen;
  }
  // An id that was made for one repository is never the id of another's row.
  const bool moved = row && seen.stored && row->repository != seen.repository;
  if (!row || moved || !usable(*row, options, session.now())) {
    return upload_unknown(seen.id);
  }
  return std::move(*row);
}

Result<UploadRow> claim_upload(db::WriteSession& session, const Options& options,
                               const UploadRow& seen) {
  const Time until = session.now() + options.upload_lifetime;
  const auto claim = [&](UploadRow row) -> Result<std::optional<UploadRow>> {
    const std::int64_t changed = TRY(session.execute(
        "UPDATE upload SET generation = ?, expires_at = ? WHERE id = ? AND generation = ?",
        {row.generation + 1, until, row.id, row.generation}));
    ++row.generation;
    row.expires_at = until;
    return changed == 0 ? std::nullopt : std::optional(std::move(row));
  };
  auto claimed = TRY(claim(seen));
  if (!claimed) {
    // Whoever wrote meanwhile has finished that, or the upload.
    UploadRow now = TRY(reload_upload(session, options, seen));
    claimed = TRY(claim(std::move(now)));
  }
  if (!claimed) {
    return upload_taken_over();
  }
  return std::move(*claimed);
}

Result<void> save_upload(db::WriteSession& session, const Options& options, const UploadRow& row) {
  const std::int64_t changed = TRY(session.execute(
      "UPDATE upload SET generation = ?, byte_offset = ?, storage_token = ?, content = ?, boot_id "
      "= "
      "?, expires_at = ? WHERE id = ? AND generation = ?",
      {row.generation + 1, row.offset, row.token, content_param(row), options.boot_id,
       session.now() + options.upload_lifetime, row.id, row.generation}));
  if (changed == 0) {
    return upload_taken_over();
  }
  return {};
}

Result<void> touch_upload(db::WriteSession& session, const Options& options, const UploadRow& row) {
  TRY(session.execute("UPDATE upload SET expires_at = ? WHERE id = ? AND generation = ?",
                      {session.now() + options.upload_lifetime, row.id, row.generation}));
  return {};
}

Result<void> finish_upload(db::WriteSession& session, const UploadRow& row) {
  const std::int64_t removed = TRY(session.execute(
      "DELETE FROM upload WHERE id = ? AND generation = ?", {row.id, row.generation}));
  if (removed == 0) {
    return upload_taken_over();
  }
  return {};
}

Result<void> remove_upload(db::WriteSession& session, const std::string& id) {
  return session.execute_later("DELETE FROM upload WHERE id = ?", {id});
}

Result<void> check_upload_limits(db::ReadSession& session, const Options& options,
                                 const UploadOwner& owner, const Running& running) {
  for (const Limit& limit : limits_of(options, owner)) {
    TRY(find_room(session, options, limit, running));
  }
  return {};
}

bool few_are_open(const Options& options, const OpenUploads& open) {
  return open.of_identity < options.uploads_per_identity_max / 2 &&
         open.of_project < options.uploads_per_project_max / 2;
}

Result<std::vector<ExpiredUpload>> make_room(db::WriteSession& session, const Options& options,
                                             const UploadOwner& owner, const Running& running) {
  std::vector<ExpiredUpload> evicted;
  for (const Limit& limit : limits_of(options, owner)) {
    if (auto idle = TRY(find_room(session, options, limit, running))) {
      TRY(remove_upload(session, idle->id));
      evicted.push_back(std::move(*idle));
    }
  }
  return evicted;
}

Result<void> insert_upload(db::WriteSession& session, const Options& options,
                           const UploadRow& upload, const std::string& identity) {
  const Time now = session.now();
  auto inserted = session.execute_later(
      "INSERT INTO upload (id, project_id, repository_id, identity, generation, byte_offset, "
      "storage_token, content, boot_id, creation_time, expires_at) VALUES (?, ?, ?, ?, 1, ?, ?, ?, "
      "?, ?, ?)",
      {upload.id, upload.project, upload.repository, identity, upload.offset, upload.token,
       content_param(upload), options.boot_id, now, now + options.upload_lifetime});
  if (!inserted && inserted.error().code == Code::kConflict) {
    return upload_taken_over();
  }
  return inserted;
}

Result<std::vector<ExpiredUpload>> expired_uploads(db::ReadSession& session, std::size_t count) {
  return session.all(
      "SELECT id, storage_token FROM upload WHERE expires_at <= ? ORDER BY expires_at LIMIT ?",
      {session.now(), count}, [](const db::Row& row) {
        return ExpiredUpload{std::string(row.text(0)), std::string(row.text(1))};
      });
}

Result<bool> remove_expired(db::WriteSession& session, const std::string& id) {
  const std::int64_t removed = TRY(
      session.execute("DELETE FROM upload WHERE id = ? AND expires_at <= ?", {id, session.now()}));
  return removed > 0;
}

}  // namespace roadstead::registry::internal
