#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "registry/internal/place.h"
#include "registry/internal/upload_rows.h"

namespace roadstead::registry::internal {
namespace {

constexpr std::string_view kNewPrefix = "new:";
constexpr int kRowColumns = 8;
constexpr std::string_view kColumns =
    "up.id, up.project_id, up.repository_id, up.generation, up.byte_offset, up.storage_token, "
    "up.boot_id, up.expires_at";

UploadRow upload_from(const db::Row& row, int at) {
  static_assert(kRowColumns == 8);
  return UploadRow{std::string(row.text(at)),
                   row.id<ProjectId>(at + 1),
                   row.id<RepositoryId>(at + 2),
                   row.integer(at + 3),
                   static_cast<std::uint64_t>(row.integer(at + 4)),
                   std::string(row.text(at + 5)),
                   std::string(row.text(at + 6)),
                   row.time(at + 7)};
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

using Running = std::function<bool(const std::string& id)>;

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

/// Makes room below one limit: nothing to do, the token of an idle upload that was removed, or
/// kRateLimited.
Result<std::optional<std::string>> make_room(db::WriteSession& session, const Options& options,
                                             const Limit& limit, const Running& running) {
  const auto open = TRY(session.first(
      fmt::format("SELECT COUNT(*) FROM upload WHERE {} = ? AND expires_at > ?", limit.column),
      {limit.value, session.now()}, [](const db::Row& row) { return row.integer(0); }));
  if (open.value_or(0) < limit.max) {
    return std::optional<std::string>();
  }
  const auto idle = TRY(find_idle(session, options, limit, running));
  if (!idle) {
    return Error{Code::kRateLimited, Subject::kUpload,
                 fmt::format("too many open uploads: at most {} of {}", limit.max, limit.of),
                 std::to_string(options.upload_idle.count())};
  }
  TRY(session.execute("DELETE FROM upload WHERE id = ?", {idle->id}));
  return std::optional<std::string>(idle->token);
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

Result<UploadRow> read_upload(db::ReadSession& session, const Options& options,
                              const Caller& caller, const model::RepositoryName& repository,
                              std::string_view id) {
  static const std::string kSql = access_query(
      kColumns, fmt::format("{} LEFT JOIN upload up ON up.id = ? AND up.repository_id = r.id",
                            kJoinRepository));
  std::optional<UploadRow> found;
  const auto access =
      TRY(session.first(kSql, {caller.principal.user, repository.path(), id, repository.project()},
                        [&](const db::Row& row) {
                          if (!row.is_null(kFirstColumn)) {
                            found = upload_from(row, kFirstColumn);
                          }
                          return auth::ProjectAccess::from_row(row);
                        }));
  TRY(permit(caller, access, repository));
  if (!found || !usable(*found, options, session.now())) {
    return upload_unknown(id);
  }
  return std::move(*found);
}

Result<UploadRow> reload_upload(db::ReadSession& session, const Options& options,
                                const UploadRow& seen) {
  static const std::string kSql = fmt::format("SELECT {} FROM upload up WHERE up.id = ?", kColumns);
  auto row = TRY(
      session.first(kSql, {seen.id}, [](const db::Row& found) { return upload_from(found, 0); }));
  if (!row || row->repository != seen.repository || !usable(*row, options, session.now())) {
    return upload_unknown(seen.id);
  }
  return std::move(*row);
}

Result<UploadRow> claim_upload(db::WriteSession& session, const Options& options,
                               const UploadRow& seen) {
  UploadRow row = TRY(reload_upload(session, options, seen));
  row.expires_at = session.now() + options.upload_lifetime;
  const std::int64_t changed = TRY(session.execute(
      "UPDATE upload SET generation = ?, expires_at = ? WHERE id = ? AND generation = ?",
      {row.generation + 1, row.expires_at, row.id, row.generation}));
  if (changed == 0) {
    return upload_taken_over();
  }
  ++row.generation;
  return row;
}

Result<void> save_upload(db::WriteSession& session, const Options& options, const UploadRow& row) {
  const std::int64_t changed = TRY(session.execute(
      "UPDATE upload SET generation = ?, byte_offset = ?, storage_token = ?, boot_id = ?, "
      "expires_at = ? WHERE id = ? AND generation = ?",
      {row.generation + 1, row.offset, row.token, options.boot_id,
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

Result<std::vector<std::string>> insert_upload(db::WriteSession& session, const Options& options,
                                               const NewUpload& upload, const Running& running) {
  std::vector<std::string> evicted;
  const std::array<Limit, 2> limits{Limit{"identity", db::Param(upload.identity),
                                          options.uploads_per_identity_max, "one identity"},
                                    Limit{"project_id", db::Param(upload.project),
                                          options.uploads_per_project_max, "one project"}};
  for (const Limit& limit : limits) {
    auto token = TRY(make_room(session, options, limit, running));
    if (token) {
      evicted.push_back(std::move(*token));
    }
  }
  const Time now = session.now();
  TRY(session.execute(
      "INSERT INTO upload (id, project_id, repository_id, identity, generation, byte_offset, "
      "storage_token, boot_id, creation_time, expires_at) VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?, ?)",
      {upload.id, upload.project, upload.repository, upload.identity,
       new_upload_token(upload.algorithm), options.boot_id, now, now + options.upload_lifetime}));
  return evicted;
}

Result<std::int64_t> staged_bytes(db::ReadSession& session, ProjectId project) {
  const auto sum = TRY(session.first("SELECT SUM(byte_offset) FROM upload WHERE project_id = ?",
                                     {project}, [](const db::Row& row) { return row.integer(0); }));
  return sum.value_or(0);
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
