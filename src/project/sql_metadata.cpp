#include "project/internal/sql_metadata.h"

#include <string>

#include "project/internal/lists.h"
#include "project/project_store.h"

namespace roadstead::project {
namespace {

constexpr std::string_view kPublic = "public";

Result<void> touch(db::WriteSession& session, ProjectId id) {
  TRY(session.execute("UPDATE project SET update_time = ? WHERE id = ?", {session.now(), id}));
  return {};
}

}  // namespace

namespace internal {

bool is_public(const Metadata& metadata) {
  const auto value = metadata.find(std::string(kPublic));
  return value != metadata.end() && value->second == "true";
}

Result<void> put_metadata(db::WriteSession& session, ProjectId id, const Metadata& changes) {
  for (const auto& [key, value] : changes) {
    const std::int64_t replaced = TRY(
        session.execute("UPDATE project_metadata SET value = ? WHERE project_id = ? AND name = ?",
                        {value, id, key}));
    if (replaced == 0) {
      TRY(session.execute("INSERT INTO project_metadata (project_id, name, value) VALUES (?, ?, ?)",
                          {id, key, value}));
    }
  }
  return {};
}

}  // namespace internal

Result<Metadata> metadata(db::ReadSession& session, ProjectId id) {
  Metadata found;
  TRY(session.each("SELECT name, value FROM project_metadata WHERE project_id = ?", {id},
                   [&](const db::Row& row) {
                     found.emplace(row.text(0), row.text(1));
                     return true;
                   }));
  return found;
}

Result<void> update(db::WriteSession& session, ProjectId id, const Metadata& changes) {
  const Metadata accepted = TRY(accepted_metadata(changes));
  if (accepted.empty()) {
    return {};
  }
  TRY(internal::put_metadata(session, id, accepted));
  if (accepted.contains(std::string(kPublic))) {
    // What permissions read follows what the API shows.
    return internal::set_public(session, id, internal::is_public(accepted));
  }
  return touch(session, id);
}

Result<void> set_metadatum(db::WriteSession& session, ProjectId id, std::string_view key,
                           std::string_view value) {
  const std::string normal = TRY(check_metadatum(key, value));
  TRY(internal::put_metadata(session, id, {{std::string(key), normal}}));
  return key == kPublic ? internal::set_public(session, id, normal == "true") : touch(session, id);
}

Result<void> add_metadatum(db::WriteSession& session, ProjectId id, std::string_view key,
                           std::string_view value) {
  TRY(check_metadatum(key, value));
  const auto present =
      TRY(session.first("SELECT 1 FROM project_metadata WHERE project_id = ? AND name = ?",
                        {id, key}, [](const db::Row&) { return true; }));
  if (present) {
    return Error{
        Code::kConflict,
        Subject::kMetadata,
        "metadata " + std::string(key) + " already exists for project " + std::to_string(id.value),
        {}};
  }
  return set_metadatum(session, id, key, value);
}

Result<void> remove_metadatum(db::WriteSession& session, ProjectId id, std::string_view key) {
  TRY(session.execute("DELETE FROM project_metadata WHERE project_id = ? AND name = ?", {id, key}));
  return key == kPublic ? internal::set_public(session, id, false) : touch(session, id);
}

}  // namespace roadstead::project
