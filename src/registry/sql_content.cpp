#include <string_view>

#include "base/text.h"
#include "registry/blob_content.h"
#include "registry/internal/content.h"
#include "registry/internal/quota.h"

namespace roadstead::registry::internal {

std::string_view to_string(Review kind) {
  switch (kind) {
    case Review::kRepositoryBlob:
      return "repository_blob";
    case Review::kArtifact:
      return "artifact";
    case Review::kBlob:
      return "blob";
    case Review::kManifest:
      return "manifest";
    case Review::kRepository:
      return "repository";
  }
  return "";
}

Result<void> review(db::WriteSession& session, Review kind, RepositoryId repository,
                    std::int64_t object, Time due) {
  return session.execute_later(
      "INSERT INTO review (kind, repository_id, object_id, due_at) VALUES (?, ?, ?, ?)",
      {to_string(kind), repository, object, due});
}

namespace {

/// The same content may be queued still from an earlier life.
Result<void> queue_content(db::WriteSession& session, std::string_view digest,
                           std::string_view location) {
  TRY(session.execute_later("DELETE FROM deleting WHERE location = ?", {location}));
  return session.execute_later("INSERT INTO deleting (location, digest, added_at) VALUES (?, ?, ?)",
                               {location, digest, session.now()});
}

Result<Held> insert_blob(db::WriteSession& session, const model::Digest& digest,
                         const Content& content) {
  const Time now = session.now();
  const BlobId blob{
      TRY(session.insert("INSERT INTO blob (digest, size, location, verified_at, creation_time) "
                         "VALUES (?, ?, ?, ?, ?)",
                         {digest.to_string(), content.size, content.location.value, now, now}))};
  if (content.location.value == kInlineLocation) {
    TRY(session.execute_later("INSERT INTO blob_content (blob_id, bytes) VALUES (?, ?)",
                              {blob, bytes_of(content.bytes)}));
  }
  return Held{blob, static_cast<std::int64_t>(content.size)};
}

}  // namespace

std::optional<Held> held_from(const db::Row& row, int first_column) {
  if (row.is_null(first_column)) {
    return std::nullopt;
  }
  return Held{row.id<BlobId>(first_column), row.integer(first_column + 1)};
}

Result<std::optional<Held>> find_held(db::ReadSession& session, const model::Digest& digest) {
  const auto found =
      TRY(session.first("SELECT id, size FROM blob WHERE digest = ?", {digest.to_string()},
                        [](const db::Row& row) { return *held_from(row, 0); }));
  return found;
}

Result<std::optional<Held>> find_intact(db::ReadSession& session, const model::Digest& digest) {
  const auto found = TRY(
      session.first("SELECT id, size FROM blob WHERE digest = ? AND damaged_at IS NULL",
                    {digest.to_string()}, [](const db::Row& row) { return *held_from(row, 0); }));
  return found;
}

Result<bool> is_damaged(db::ReadSession& session, const model::Digest& digest) {
  const auto damaged =
      TRY(session.first("SELECT 1 FROM blob WHERE digest = ? AND damaged_at IS NOT NULL",
                        {digest.to_string()}, [](const db::Row&) { return true; }));
  return damaged.value_or(false);
}

namespace {

struct NewContent {
  const model::Digest& digest;
  const Content& content;
};

/// What was found damaged is replaced by what was just uploaded, wherever that lies.
Result<Held> heal_blob(db::WriteSession& session, Held present, std::string_view present_at,
                       const NewContent& fresh) {
  const Content& content = fresh.content;
  TRY(
      session.execute("UPDATE blob SET damaged_at = NULL, verified_at = ?, size = ?, location = ? "
                      "WHERE id = ?",
                      {session.now(), content.size, content.location.value, present.blob}));
  TRY(session.execute("DELETE FROM blob_content WHERE blob_id = ?", {present.blob}));
  if (content.location.value == kInlineLocation) {
    TRY(session.execute("INSERT INTO blob_content (blob_id, bytes) VALUES (?, ?)",
                        {present.blob, bytes_of(content.bytes)}));
  }
  if (present_at != kInlineLocation && present_at != content.location.value) {
    TRY(queue_content(session, fresh.digest.to_string(), present_at));
  }
  present.size = static_cast<std::int64_t>(content.size);
  return present;
}

}  // namespace

Result<Held> ensure_blob(db::WriteSession& session, const model::Digest& digest,
                         const Content& content) {
  std::string present_at;
  bool damaged = false;
  const auto present =
      // Two uploads of the same content must not both replace where it lies.
      TRY(session.first("SELECT id, size, location, damaged_at FROM blob WHERE digest = ? FOR NO "
                        "KEY UPDATE",
                        {digest.to_string()}, [&](const db::Row& row) {
                          present_at = row.text(2);
                          damaged = !row.is_null(3);
                          return *held_from(row, 0);
                        }));
  if (!present) {
    return insert_blob(session, digest, content);
  }
  if (damaged) {
    return heal_blob(session, *present, present_at, {digest, content});
  }
  if (present_at == content.location.value || content.location.value == kInlineLocation) {
    return *present;
  }
  if (present_at == kInlineLocation || content.own_location) {
    TRY(queue_content(session, digest.to_string(), content.location.value));
    return *present;
  }
  TRY(session.execute("UPDATE blob SET location = ?, verified_at = ? WHERE id = ?",
                      {content.location.value, session.now(), present->blob}));
  TRY(queue_content(session, digest.to_string(), present_at));
  return *present;
}

Result<std::optional<Dropped>> drop_blob(db::WriteSession& session, BlobId blob) {
  std::string location;
  auto dropped = TRY(session.first("SELECT digest, size, location FROM blob WHERE id = ?", {blob},
                                   [&](const db::Row& row) {
                                     location = row.text(2);
                                     return Dropped{std::string(row.text(0)), row.integer(1)};
                                   }));
  if (!dropped) {
    return dropped;
  }
  if (location == kInlineLocation) {
    TRY(session.execute("DELETE FROM blob_content WHERE blob_id = ?", {blob}));
  } else {
    TRY(queue_content(session, dropped->digest, location));
  }
  TRY(session.execute("DELETE FROM blob WHERE id = ?", {blob}));
  return dropped;
}

Result<std::optional<std::string>> read_content(db::ReadSession& session, BlobId blob) {
  return session.first("SELECT bytes FROM blob_content WHERE blob_id = ?", {blob},
                       [](const db::Row& row) { return std::string(row.text(0)); });
}

namespace {

Result<void> insert_lease(db::WriteSession& session, const Holder& holder, BlobId blob,
                          Time until) {
  return session.execute_later(
      "INSERT INTO repository_blob (repository_id, blob_id, project_id, leased_until) VALUES (?, "
      "?, ?, ?)",
      {holder.repository, blob, holder.project, until});
}

/// Of content that the project does not count yet and was charged for.
Result<void> insert_count(db::WriteSession& session, ProjectId project, const Held& held) {
  return session.execute_later("INSERT INTO project_blob (project_id, blob_id) VALUES (?, ?)",
                               {project, held.blob});
}

}  // namespace

Result<void> lease_blob(db::WriteSession& session, const Options& options, const Holder& holder,
                        const Held& held) {
  const Time until = session.now() + options.lease();
  const auto leased = TRY(session.first(
      "SELECT leased_until FROM repository_blob WHERE repository_id = ? AND blob_id = ? FOR UPDATE",
      {holder.repository, held.blob}, [](const db::Row& row) { return row.time(0); }));
  if (!leased) {
    TRY(insert_lease(session, holder, held.blob, until));
  } else {
    // A lease only ever moves later.
    TRY(
        session.execute_later("UPDATE repository_blob SET leased_until = ?, condemned_at = NULL "
                              "WHERE repository_id = ? AND blob_id = ?",
                              {std::max(*leased, until), holder.repository, held.blob}));
  }
  TRY(review(session, Review::kRepositoryBlob, holder.repository, held.blob.value, until));
  return count_blob(session, holder.project, held);
}

Result<void> bring_blob(db::WriteSession& session, const Options& options, ProjectId project,
                        const Arrival& arrival) {
  const Holder holder{project, arrival.landing.repository};
  if (arrival.landing.known) {
    const Held held = TRY(ensure_blob(session, arrival.digest, arrival.content));
    return lease_blob(session, options, holder, held);
  }
  // What has no row is held by nobody, and counts nowhere.
  const Held held = TRY(insert_blob(session, arrival.digest, arrival.content));
  const Time until = session.now() + options.lease();
  TRY(insert_lease(session, holder, held.blob, until));
  TRY(review(session, Review::kRepositoryBlob, holder.repository, held.blob.value, until));
  TRY(charge(session, project, held.size, arrival.landing.unlimited));
  return insert_count(session, project, held);
}

Result<void> count_blob(db::WriteSession& session, ProjectId project, const Held& held) {
  const auto counted = TRY(
      session.first("SELECT 1 FROM project_blob WHERE project_id = ? AND blob_id = ? FOR KEY SHARE",
                    {project, held.blob}, [](const db::Row&) { return true; }));
  if (counted) {
    return {};
  }
  TRY(charge(session, project, held.size));
  return insert_count(session, project, held);
}

Result<void> uncount_blob(db::WriteSession& session, ProjectId project, BlobId blob, bool leases) {
  TRY(session.lock("SELECT 1 FROM project_blob WHERE project_id = ? AND blob_id = ? FOR UPDATE",
                   {project, blob}));
  // Only rows of this project are looked at, however many others hold a popular blob.
  const Time alive = leases ? session.now() : Time::max();
  const auto kept = TRY(session.first(
      "SELECT 1 FROM repository_blob rb WHERE rb.project_id = ? AND rb.blob_id = ? AND "
      "(rb.leased_until > ? OR EXISTS (SELECT 1 FROM artifact_blob ab WHERE ab.repository_id = "
      "rb.repository_id AND ab.blob_id = rb.blob_id)) LIMIT 1",
      {project, blob, alive}, [](const db::Row&) { return true; }));
  if (kept) {
    return {};
  }
  const auto removed = TRY(session.execute(
      "DELETE FROM project_blob WHERE project_id = ? AND blob_id = ?", {project, blob}));
  if (removed == 0) {
    return {};
  }
  const auto size = TRY(session.first("SELECT size FROM blob WHERE id = ?", {blob},
                                      [](const db::Row& row) { return row.integer(0); }));
  return charge(session, project, -size.value_or(0));
}

}  // namespace roadstead::registry::internal
