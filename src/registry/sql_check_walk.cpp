#include <fmt/format.h>

#include "registry/internal/check_rows.h"

namespace roadstead::registry::internal {
namespace {

/// The statement answers up to two names; what they are called without them is `fallback`.
struct Naming {
  std::string_view sql;
  bool pair = false;
  std::string_view fallback;
};

Naming naming_of(RowKind kind) {
  constexpr std::string_view kOfArtifact =
      "SELECT r.full_name, a.digest FROM artifact a JOIN repository r ON r.id = a.repository_id "
      "WHERE a.id = ?";
  switch (kind) {
    case RowKind::kArtifact:
      return {kOfArtifact, false, "artifact"};
    case RowKind::kArtifactBlob:
      return {
          "SELECT (SELECT a.digest FROM artifact a WHERE a.id = ?), (SELECT b.digest FROM blob "
          "b WHERE b.id = ?)",
          true, "artifact and blob"};
    case RowKind::kArtifactChild:
      return {
          "SELECT (SELECT a.digest FROM artifact a WHERE a.id = ?), (SELECT a.digest FROM "
          "artifact a WHERE a.id = ?)",
          true, "artifact and child"};
    case RowKind::kBlob:
      return {"SELECT digest, NULL FROM blob WHERE id = ?", false, "blob"};
    case RowKind::kManifest:
      return {"SELECT digest, NULL FROM manifest WHERE id = ?", false, "manifest"};
    case RowKind::kProject:
      return {"SELECT name, NULL FROM project WHERE id = ?", false, "project"};
    case RowKind::kProjectBlob:
      return {
          "SELECT (SELECT p.name FROM project p WHERE p.id = ?), (SELECT b.digest FROM blob b "
          "WHERE b.id = ?)",
          true, "project and blob"};
    case RowKind::kRepository:
      return {"SELECT full_name, NULL FROM repository WHERE id = ?", false, "repository"};
    case RowKind::kRepositoryBlob:
      return {
          "SELECT (SELECT r.full_name FROM repository r WHERE r.id = ?), (SELECT b.digest FROM "
          "blob b WHERE b.id = ?)",
          true, "repository and blob"};
    case RowKind::kTag:
      return {
          "SELECT r.full_name, t.name FROM tag t JOIN repository r ON r.id = t.repository_id "
          "WHERE t.id = ?",
          false, "tag"};
  }
  return {};
}

}  // namespace

Result<std::string> describe_row(db::ReadSession& session, RowKind kind, std::int64_t first,
                                 std::int64_t second) {
  const Naming naming = naming_of(kind);
  const std::vector<db::Param> params =
      naming.pair ? std::vector<db::Param>{first, second} : std::vector<db::Param>{first};
  std::string name;
  TRY(session.each(naming.sql, params, [&](const db::Row& row) {
    for (int column = 0; column < 2; ++column) {
      if (!row.is_null(column)) {
        name += name.empty() ? "" : " ";
        name += row.text(column);
      }
    }
    return false;
  }));
  if (name.empty()) {
    return fmt::format("{} {} {}", naming.fallback, first, second);
  }
  return name;
}

Result<CheckPage> walk(db::ReadSession& session, const Walk& steps, const CheckCursor& after,
                       std::size_t count) {
  CheckPage page;
  CheckCursor last;
  const std::vector<db::Param> params =
      steps.pairs ? std::vector<db::Param>{after.first, after.second, count}
                  : std::vector<db::Param>{after.first, count};
  TRY(session.each(steps.sql, params, [&](const db::Row& row) {
    last.first = row.integer(0);
    last.second = row.integer(1);
    if (row.boolean(2)) {
      page.found.push_back({last.first, last.second, {}});
    }
    ++page.rows;
    return true;
  }));
  if (page.rows == count) {
    page.next = last;
  }
  for (Disagreement& found : page.found) {
    found.object = TRY(describe_row(session, steps.kind, found.first, found.second));
  }
  return page;
}

}  // namespace roadstead::registry::internal
