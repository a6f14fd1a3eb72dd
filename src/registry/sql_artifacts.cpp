#include <array>
#include <map>

#include "auth/counted_list.h"
#include "auth/sql_filter.h"
#include "registry/internal/lists.h"
#include "registry/listing.h"

namespace roadstead::registry {
namespace {

using auth::Filter;
using auth::ListColumn;

constexpr std::array kColumns{
    ListColumn{"id", "a.id", ListColumn::Type::kInteger},
    ListColumn{"digest", "a.digest", ListColumn::Type::kText},
    ListColumn{"type", "a.type", ListColumn::Type::kText},
    ListColumn{"media_type", "a.media_type", ListColumn::Type::kText},
    ListColumn{"artifact_type", "a.artifact_type", ListColumn::Type::kText},
    ListColumn{"repository_id", "a.repository_id", ListColumn::Type::kInteger},
    ListColumn{"size", "a.size", ListColumn::Type::kInteger},
    ListColumn{"push_time", "a.push_time", ListColumn::Type::kTime},
    ListColumn{"pull_time", "a.pull_time", ListColumn::Type::kTime},
};
constexpr std::array kTagColumns{
    ListColumn{"id", "t.id", ListColumn::Type::kInteger},
    ListColumn{"name", "t.name", ListColumn::Type::kText},
    ListColumn{"push_time", "t.push_time", ListColumn::Type::kTime},
    ListColumn{"pull_time", "t.pull_time", ListColumn::Type::kTime},
};
constexpr std::string_view kFrom = " FROM artifact a JOIN manifest f ON f.id = a.manifest_id";
constexpr std::string_view kFromListed =
    " FROM artifact a /* by artifact_listed */ JOIN manifest f ON f.id = a.manifest_id";
constexpr std::string_view kSelect =
    "SELECT a.id, a.repository_id, a.project_id, a.digest, f.media_type, a.media_type, "
    "a.artifact_type, a.type, a.annotations, a.extra_attributes, a.subject_digest, a.size, "
    "a.push_time, a.pull_time";
constexpr std::string_view kTagged = "EXISTS (SELECT 1 FROM tag t WHERE t.artifact_id = a.id";

std::optional<Time> optional_time(const db::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.time(column));
}

ArtifactRow artifact_from(const db::Row& row) {
  ArtifactRow artifact;
  artifact.id = row.id<ArtifactId>(0);
  artifact.repository = row.id<RepositoryId>(1);
  artifact.project = row.id<ProjectId>(2);
  artifact.digest = row.text(3);
  artifact.manifest_media_type = row.text(4);
  artifact.media_type = row.text(5);
  artifact.artifact_type = row.text(6);
  artifact.type = row.text(7);
  artifact.annotations = row.text(8);
  artifact.extra_attributes = row.text(9);
  if (!row.is_null(10)) {
    artifact.subject_digest.emplace(row.text(10));
  }
  artifact.size = row.integer(11);
  artifact.push_time = row.time(12);
  artifact.pull_time = optional_time(row, 13);
  return artifact;
}

TagRow tag_from(const db::Row& row) {
  return TagRow{row.integer(0), std::string(row.text(1)), row.time(2), optional_time(row, 3)};
}

Result<void> read_details(db::ReadSession& session, ArtifactRow& artifact) {
  artifact.tags =
      TRY(session.all("SELECT id, name, push_time, pull_time FROM tag WHERE "
                      "artifact_id = ? ORDER BY name LIMIT ?",
                      {artifact.id, kTagsPerArtifactMax}, tag_from));
  // Put in order here: most artifacts have no children, and the engine would set up a sort for
  // each.
  std::map<std::int64_t, ChildRow> children;
  TRY(session.each(
      "SELECT c.child_id, a.digest, c.descriptor, c.position FROM artifact_child c "
      "JOIN artifact a ON a.id = c.child_id WHERE c.artifact_id = ?",
      {artifact.id}, [&](const db::Row& row) {
        children.emplace(row.integer(3), ChildRow{row.id<ArtifactId>(0), std::string(row.text(1)),
                                                  std::string(row.text(2))});
        return true;
      }));
  for (auto& [position, child] : children) {
    artifact.children.push_back(std::move(child));
  }
  return {};
}

/// "tags=nil", "tags=*", "tags=v1", "tags=~v".
void require_tags(auth::SqlFilter& filter, RepositoryId repository, const Filter& tags) {
  const std::string exists(kTagged);
  const std::string& value = tags.values.front();
  if (tags.kind == Filter::Kind::kFuzzy) {
    filter.require_like(exists + " AND LOWER(t.name) LIKE ? ESCAPE '!')", value);
  } else if (value == "nil") {
    filter.require("NOT " + exists + ")");
  } else if (value == "*") {
    filter.require(exists + ")");
  } else {
    filter.require(
        "a.id = (SELECT t.artifact_id FROM tag t WHERE t.repository_id = ? AND t.name = ?)",
        repository);
    filter.bind(value);
  }
}

/// Unless "base=*" asks for everything, what belongs to another artifact is left out: untagged
/// children of an index, and whatever is attached to an artifact that is here (internal/lists.h).
void hide_parts(auth::SqlFilter& filter, const auth::ListQuery& query) {
  const Filter* base = query.find("base");
  if (base == nullptr || base->values.front() != "*") {
    filter.require("a.listed = 1");
  }
}

/// A page in the list's own order: it begins where the list says and reads its own rows only.
Result<auth::Page<ArtifactRow>> read_counted(db::ReadSession& session, RepositoryId repository,
                                             const auth::ListQuery& query,
                                             auth::Direction direction) {
  const auth::PageStart start =
      TRY(auth::find_page(session, internal::artifacts_of(repository), query, direction));
  auth::Page<ArtifactRow> page;
  page.total = start.total;
  if (!start.from) {
    return page;
  }
  std::string sql(kSelect);
  sql.append(kFromListed).append(" WHERE a.repository_id = ? AND a.listed = 1");
  sql += direction == auth::Direction::kDown
             ? " AND (a.push_time, a.id) <= (?, ?) ORDER BY a.push_time DESC, a.id DESC"
             : " AND (a.push_time, a.id) >= (?, ?) ORDER BY a.push_time, a.id";
  sql += " LIMIT ?";
  page.items = TRY(session.all(sql, {repository, start.from->time, start.from->id, query.limit()},
                               artifact_from));
  return page;
}

Result<std::int64_t> count(db::ReadSession& session, const auth::SqlFilter& filter) {
  const auto rows =
      TRY(session.first("SELECT COUNT(*) FROM artifact a" + filter.where(), filter.params(),
                        [](const db::Row& row) { return row.integer(0); }));
  return rows.value_or(0);
}

Result<auth::Page<ArtifactRow>> read_filtered(db::ReadSession& session, RepositoryId repository,
                                              const auth::ListQuery& query) {
  auth::SqlFilter filter(kColumns);
  filter.require("a.repository_id = ?", repository);
  hide_parts(filter, query);
  if (const Filter* tags = query.find("tags")) {
    require_tags(filter, repository, *tags);
  }
  TRY(filter.add(query));
  auth::Page<ArtifactRow> page;
  page.total = query.filters.empty()
                   ? TRY(auth::count_entries(session, internal::artifacts_of(repository)))
                   : TRY(count(session, filter));
  // What is skipped is not joined.
  const std::string order = filter.order_by(query, "a.push_time DESC", "a.id DESC");
  std::string sql(kSelect);
  sql += " FROM (SELECT a.id AS artifact_id FROM artifact a" + filter.where() + order +
         " LIMIT ? OFFSET ?) page JOIN artifact a ON a.id = page.artifact_id JOIN manifest f ON "
         "f.id = a.manifest_id" +
         order;
  page.items = TRY(session.all(sql, filter.page_params(query), artifact_from));
  return page;
}

}  // namespace

Result<auth::Page<ArtifactRow>> list_artifacts(db::ReadSession& session, RepositoryId repository,
                                               const auth::ListQuery& query) {
  const auto direction = auth::own_order(query, "push_time", auth::Direction::kDown);
  auto page = direction ? TRY(read_counted(session, repository, query, *direction))
                        : TRY(read_filtered(session, repository, query));
  for (ArtifactRow& artifact : page.items) {
    TRY(read_details(session, artifact));
  }
  return page;
}

Result<std::optional<ArtifactRow>> get_artifact(db::ReadSession& session, RepositoryId repository,
                                                const model::Reference& reference) {
  static const std::string kByTag = std::string(kSelect).append(kFrom).append(
      " JOIN tag t ON t.artifact_id = a.id WHERE t.repository_id = ? AND t.name = ?");
  static const std::string kByDigest =
      std::string(kSelect).append(kFrom).append(" WHERE a.repository_id = ? AND a.digest = ?");
  const bool by_tag = std::holds_alternative<model::Tag>(reference);
  auto artifact = TRY(session.first(by_tag ? kByTag : kByDigest,
                                    {repository, model::to_string(reference)}, artifact_from));
  if (artifact) {
    TRY(read_details(session, *artifact));
  }
  return artifact;
}

Result<auth::Page<TagRow>> list_artifact_tags(db::ReadSession& session, ArtifactId artifact,
                                              const auth::ListQuery& query) {
  auth::SqlFilter filter(kTagColumns);
  filter.require("t.artifact_id = ?", artifact);
  TRY(filter.add(query));
  auth::Page<TagRow> page;
  page.total = TRY(session.first("SELECT COUNT(*) FROM tag t" + filter.where(), filter.params(),
                                 [](const db::Row& row) { return row.integer(0); }))
                   .value_or(0);
  std::string sql("SELECT t.id, t.name, t.push_time, t.pull_time FROM tag t");
  sql += filter.where();
  sql += filter.order_by(query, "t.push_time DESC", "t.id DESC");
  sql += " LIMIT ? OFFSET ?";
  page.items = TRY(session.all(sql, filter.page_params(query), tag_from));
  return page;
}

}  // namespace roadstead::registry
