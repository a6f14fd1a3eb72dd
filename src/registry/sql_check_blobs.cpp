#include "json/json.h"
#include "registry/blob_content.h"
#include "registry/check.h"
#include "registry/internal/content.h"
#include "registry/internal/push_rows.h"

namespace roadstead::registry {
namespace {

/// Edges follow a row that was made anew in transactions of their own.
constexpr std::chrono::hours kAdoptedFor{1};
constexpr std::string_view kBlobDamaged = "BLOB_DAMAGED";

std::optional<Time> maybe_time(const db::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.time(column));
}

BlobRow blob_from(const db::Row& row) {
  return BlobRow{row.id<BlobId>(0),  std::string(row.text(1)),
                 row.integer(2),     storage::Location{std::string(row.text(3))},
                 maybe_time(row, 4), maybe_time(row, 5)};
}

/// Whether the row is still the one that was read.
Result<bool> unchanged(db::ReadSession& session, const BlobRow& seen) {
  const auto now = TRY(session.first(
      "SELECT id, digest, size, location, verified_at, damaged_at FROM blob WHERE id = ?",
      {seen.id}, blob_from));
  return now && now->size == seen.size && now->location == seen.location &&
         now->verified_at == seen.verified_at && now->damaged_at == seen.damaged_at;
}

}  // namespace

Result<std::vector<BlobRow>> blobs_after(db::ReadSession& session, BlobId after,
                                         std::size_t count) {
  return session.all(
      "SELECT id, digest, size, location, verified_at, damaged_at FROM blob WHERE id > ? ORDER BY "
      "id LIMIT ?",
      {after, count}, blob_from);
}

Result<std::vector<BlobRow>> blobs_to_verify(db::ReadSession& session, Time before,
                                             const std::optional<BlobRow>& last,
                                             std::size_t count) {
  if (!last || !last->verified_at) {
    // What was never verified comes first.
    auto page = TRY(session.all(
        "SELECT id, digest, size, location, verified_at, damaged_at FROM blob WHERE verified_at IS "
        "NULL AND id > ? ORDER BY id LIMIT ?",
        {last ? last->id : BlobId{}, count}, blob_from));
    if (!page.empty()) {
      return page;
    }
  }
  const bool within = last && last->verified_at;
  return session.all(
      "SELECT id, digest, size, location, verified_at, damaged_at FROM blob WHERE (verified_at, "
      "id) > (?, ?) AND verified_at < ? ORDER BY verified_at, id LIMIT ?",
      {within ? *last->verified_at : Time(), within ? last->id : BlobId{}, before, count},
      blob_from);
}

Result<std::optional<Time>> oldest_verified(db::ReadSession& session) {
  return session.first("SELECT verified_at FROM blob ORDER BY verified_at, id LIMIT 1", {},
                       [](const db::Row& row) { return row.time(0); });
}

Result<std::optional<BlobRow>> find_blob_row(db::ReadSession& session, std::string_view digest) {
  return session.first(
      "SELECT id, digest, size, location, verified_at, damaged_at FROM blob WHERE digest = ?",
      {digest}, blob_from);
}

bool is_inline(const BlobRow& blob) {
  return blob.location.value == kInlineLocation;
}

Result<std::optional<std::string>> inline_content(db::ReadSession& session, const BlobRow& blob) {
  return internal::read_content(session, blob.id);
}

Result<bool> mark_damaged(db::WriteSession& session, const BlobRow& seen, std::string_view why) {
  if (!TRY(unchanged(session, seen))) {
    return false;
  }
  const Time now = session.now();
  if (seen.damaged_at) {
    TRY(session.execute("UPDATE blob SET verified_at = ? WHERE id = ?", {now, seen.id}));
    return true;
  }
  TRY(session.execute("UPDATE blob SET damaged_at = ?, verified_at = ? WHERE id = ?",
                      {now, now, seen.id}));
  json::Writer event;
  event.begin_object();
  event.member("digest", seen.digest);
  event.member("size", seen.size);
  event.member("reason", why);
  event.end_object();
  TRY(internal::emit_event(session, kBlobDamaged, event.take()));
  return true;
}

Result<bool> mark_verified(db::WriteSession& session, const BlobRow& seen) {
  if (!TRY(unchanged(session, seen))) {
    return false;
  }
  TRY(session.execute("UPDATE blob SET damaged_at = NULL, verified_at = ? WHERE id = ?",
                      {session.now(), seen.id}));
  return true;
}

Result<bool> is_accounted_for(db::ReadSession& session, std::string_view digest,
                              const storage::Location& location) {
  const auto known = TRY(session.first(
      "SELECT 1 WHERE EXISTS (SELECT 1 FROM blob WHERE digest = ? AND location = ?) OR EXISTS "
      "(SELECT 1 FROM deleting WHERE location = ?)",
      {digest, location.value, location.value}, [](const db::Row&) { return true; }));
  return known.value_or(false);
}

Result<void> queue_removal(db::WriteSession& session, std::string_view digest,
                           const storage::Location& location, std::chrono::seconds delay) {
  if (!TRY(is_accounted_for(session, digest, location))) {
    TRY(session.execute("INSERT INTO deleting (location, digest, added_at) VALUES (?, ?, ?)",
                        {location.value, digest, session.now() + delay}));
  }
  return {};
}

Result<void> adopt_blob(db::WriteSession& session, std::string_view digest, std::int64_t size,
                        const storage::Location& location) {
  const auto parsed = TRY(model::Digest::parse(digest));
  const auto held =
      TRY(internal::ensure_blob(session, parsed, {static_cast<std::uint64_t>(size), location}));
  // For the case that nobody needs it any more; not before its edges are back.
  return internal::review(session, internal::Review::kBlob, RepositoryId{}, held.blob.value,
                          session.now() + kAdoptedFor);
}

Result<std::vector<OpenUpload>> uploads_after(db::ReadSession& session, std::string_view after,
                                              std::size_t count) {
  return session.all("SELECT id, storage_token FROM upload WHERE id > ? ORDER BY id LIMIT ?",
                     {after, count}, [](const db::Row& row) {
                       return OpenUpload{std::string(row.text(0)), std::string(row.text(1))};
                     });
}

}  // namespace roadstead::registry
