#include "registry/testing/disk_registry.h"

#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "registry/blob_content.h"
#include "registry/push.h"
#include "registry/testing/registry_bench.h"
#include "storage/filesystem.h"

namespace roadstead::registry::testing {
namespace {

constexpr std::uint64_t kWalMax = std::uint64_t{1} << 30U;
constexpr std::string_view kUsage =
    "SELECT q.used + COALESCE((SELECT SUM(bytes) FROM quota_delta d WHERE d.project_id = "
    "q.project_id), 0) - COALESCE((SELECT SUM(headroom) FROM quota_slice s WHERE s.project_id = "
    "q.project_id), 0) FROM quota q";

std::unique_ptr<db::SqliteDatabase> open_database(const DiskRegistry::Place& place,
                                                  const Clock& clock, log::Sink& sink) {
  db::SqliteOptions options;
  options.path = place.root / "roadstead.db";
  options.vfs = place.vfs;
  options.wal_size_max = kWalMax;
  return db::SqliteDatabase::open(options, clock, log::Logger(sink)).value();
}

std::string read_all(storage::BlobStore& store, const storage::Location& location) {
  const auto reader = store.open(location);
  if (!reader) {
    return {};
  }
  std::string content((*reader)->size(), '\0');
  const auto read = (*reader)->read_at(0, std::as_writable_bytes(std::span(content)));
  content.resize(read ? *read : 0);
  return content;
}

std::int64_t files_below(const std::filesystem::path& path) {
  std::int64_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  return files;
}

}  // namespace

DiskRegistry::DiskRegistry(const Place& place, const Clock& clock)
    : root_(place.root),
      nowhere_(sys::File::open("/dev/null", sys::File::Mode::kReadWrite).value()),
      sink_(nowhere_.descriptor(), log::Format::kText, log::Level::kError, clock),
      database(open_database(place, clock, sink_)),
      statements(*database),
      store(storage::open_filesystem_store(place.root / "storage").value()) {
  options.boot_id = place.boot_id;
  options.free_space_floor = ByteCount{0};
  uploads = std::make_unique<Uploads>(statements, *store, locks, options);
  prepare();
}

/// The administrator, the project and its quota, if they are not there yet.
void DiskRegistry::prepare() {
  const auto id = [](const db::Row& row) { return row.id<UserId>(0); };
  const auto insert = [&](db::WriteSession& session) -> Result<UserId> {
    if (const auto known = TRY(session.first("SELECT id FROM user_account", {}, id))) {
      return *known;
    }
    const Time now = session.now();
    const UserId user{
        TRY(session.insert("INSERT INTO user_account (username, email, realname, comment, "
                           "password_hash, sysadmin, deleted, credential_version, creation_time, "
                           "update_time) VALUES ('admin', 'a@example.com', '', '', '', 1, 0, 1, "
                           "?, ?)",
                           {now, now}))};
    const std::int64_t project =
        TRY(session.insert("INSERT INTO project (name, owner_id, public, creation_time, "
                           "update_time) VALUES ('p', ?, 0, ?, ?)",
                           {user, now, now}));
    TRY(
        session.execute("INSERT INTO quota (project_id, hard_limit, used, creation_time, "
                        "update_time) VALUES (?, 1000000000, 0, ?, ?)",
                        {project, now, now}));
    return user;
  };
  admin_.kind = auth::Principal::Kind::kUser;
  admin_.user = database->write(insert).value();
  admin_.name = "admin";
  admin_.credential_version = 1;
}

Caller DiskRegistry::caller(auth::Action action) const {
  return Caller{admin_, auth::Permission::project(auth::Resource::kRepository, action)};
}

Result<std::string> DiskRegistry::start(const std::string& name) {
  return TRY(uploads->start(caller(auth::Action::kPush), repository(name),
                            model::Algorithm::kSha256))
      .id;
}

Result<void> DiskRegistry::patch(const std::string& name, const std::string& id,
                                 std::string_view bytes) {
  const auto session = TRY(uploads->open(caller(auth::Action::kPush), repository(name), id,
                                         {std::nullopt, bytes.size()}));
  TRY(session->write(bytes_of(bytes)));
  TRY(session->checkpoint());
  return {};
}

Result<void> DiskRegistry::put(const std::string& name, const std::string& id,
                               std::string_view rest, std::string_view whole) {
  const auto session = TRY(uploads->open(caller(auth::Action::kPush), repository(name), id,
                                         {std::nullopt, rest.size(), true}));
  if (!rest.empty()) {
    TRY(session->write(bytes_of(rest)));
  }
  return session->commit(model::Digest::of(whole));
}

Result<void> DiskRegistry::cancel(const std::string& name, const std::string& id) {
  return uploads->cancel(caller(auth::Action::kPush), repository(name), id);
}

Result<void> DiskRegistry::upload(const std::string& name, std::string_view content) {
  const auto session = TRY(uploads->open_single(caller(auth::Action::kPush), repository(name),
                                                model::Algorithm::kSha256, content.size()));
  TRY(session->write(bytes_of(content)));
  return session->commit(model::Digest::of(content));
}

Result<bool> DiskRegistry::mount(const std::string& name, std::string_view content,
                                 const std::string& from) {
  return uploads->mount(caller(auth::Action::kPush), repository(name), model::Digest::of(content),
                        repository(from));
}

Result<void> DiskRegistry::push(const std::string& name, const std::string& tag_name,
                                std::string_view manifest) {
  const auto where = repository(name);
  const model::Reference reference = tag_name.empty()
                                         ? model::Reference(model::Digest::of(manifest))
                                         : model::Reference(tag(tag_name));
  TRY(put_manifest(statements, *store, options, caller(auth::Action::kPush),
                   {where, reference, {}, manifest, {}}));
  return {};
}

Result<void> DiskRegistry::remove_manifest(const std::string& name, std::string_view manifest) {
  return delete_manifest(statements, options, caller(auth::Action::kDelete), repository(name),
                         model::Digest::of(manifest));
}

Result<void> DiskRegistry::remove_tag(const std::string& name, const std::string& tag_name) {
  return delete_tag(statements, options, caller(auth::Action::kDelete), repository(name),
                    tag(tag_name));
}

Result<void> DiskRegistry::remove_blob(const std::string& name, std::string_view content) {
  return delete_blob(statements, options, caller(auth::Action::kDelete), repository(name),
                     model::Digest::of(content));
}

Result<void> DiskRegistry::remove_repository(const std::string& name) {
  return delete_repository(statements, options, caller(auth::Action::kDelete), repository(name));
}

std::string DiskRegistry::rows(std::string_view title, std::string_view sql) {
  std::string text;
  const auto add = [&](const db::Row& row) {
    text += fmt::format("{} {} {}\n", title, row.text(0), row.text(1));
    return true;
  };
  CHECK(database->read([&](db::ReadSession& session) { return session.each(sql, {}, add); }));
  return text;
}

/// Each content that a repository may read, and whether it is whole.
std::string DiskRegistry::contents() {
  struct Content {
    std::string repository, digest, location, bytes;
  };
  const auto all = database->read([&](db::ReadSession& session) {
    return session.all(
        "SELECT r.full_name, b.digest, b.location, c.bytes FROM repository_blob rb JOIN repository "
        "r ON r.id = rb.repository_id JOIN blob b ON b.id = rb.blob_id LEFT JOIN blob_content c ON "
        "c.blob_id = b.id ORDER BY 1, 2",
        {}, [](const db::Row& row) {
          return Content{std::string(row.text(0)), std::string(row.text(1)),
                         std::string(row.text(2)), std::string(row.text(3))};
        });
  });
  std::string text;
  for (const Content& content : all.value()) {
    const std::string bytes = content.location == kInlineLocation
                                  ? content.bytes
                                  : read_all(*store, storage::Location{content.location});
    const bool whole = model::Digest::of(bytes).to_string() == content.digest;
    text +=
        fmt::format("content {} {}{}\n", content.repository, content.digest, whole ? "" : " TORN");
  }
  return text;
}

std::string DiskRegistry::observe() {
  std::string text =
      rows("manifest",
           "SELECT r.full_name, a.digest FROM artifact a JOIN repository r ON r.id "
           "= a.repository_id JOIN manifest m ON m.id = a.manifest_id ORDER BY 1, 2");
  text += rows("tag",
               "SELECT r.full_name || ':' || t.name, a.digest FROM tag t JOIN repository r ON r.id "
               "= t.repository_id JOIN artifact a ON a.id = t.artifact_id ORDER BY 1");
  text += rows("child",
               "SELECT p.digest, a.digest FROM artifact_child c JOIN artifact p ON p.id = "
               "c.artifact_id JOIN artifact a ON a.id = c.child_id ORDER BY 1, 2");
  text += rows("edge",
               "SELECT a.digest, b.digest FROM artifact_blob e JOIN artifact a ON a.id = "
               "e.artifact_id JOIN blob b ON b.id = e.blob_id ORDER BY 1, 2");
  text += contents();
  text += rows("usage", fmt::format("SELECT ({}), ''", kUsage));
  return text;
}

std::map<std::string, std::int64_t> DiskRegistry::census() {
  std::map<std::string, std::int64_t> found;
  const auto count = [&](db::ReadSession& session) -> Result<void> {
    const auto tables = TRY(session.all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", {},
        [](const db::Row& row) { return std::string(row.text(0)); }));
    const auto number = [](const db::Row& row) { return row.integer(0); };
    for (const std::string& table : tables) {
      found[table] =
          TRY(session.first(fmt::format("SELECT COUNT(*) FROM {}", table), {}, number)).value_or(0);
    }
    found["usage"] = TRY(session.first(kUsage, {}, number)).value_or(0);
    return {};
  };
  CHECK(database->read(count));
  found["files"] = files_below(storage() / "blobs");
  found["staged files"] = files_below(storage() / "uploads");
  return found;
}

}  // namespace roadstead::registry::testing
