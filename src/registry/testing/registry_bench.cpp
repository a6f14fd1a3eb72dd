#include "registry/testing/registry_bench.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "model/manifest.h"
#include "registry/storage_limit.h"

namespace roadstead::registry::testing {
namespace {

constexpr std::int64_t kStart = 1'800'000'000'000'000;

Caller caller_for(const auth::Principal& principal, auth::Action action) {
  return Caller{principal, auth::Permission::project(auth::Resource::kRepository, action)};
}

std::string descriptor(const Part& part) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", part.media_type,
                     part.digest, part.size);
}

std::string descriptors(const std::vector<Part>& parts) {
  std::vector<std::string> texts;
  for (const Part& part : parts) {
    texts.push_back(descriptor(part));
  }
  return fmt::format("[{}]", fmt::join(texts, ","));
}

Part part_of(std::string_view media_type, std::string_view content) {
  return Part{std::string(media_type), model::Digest::of(content).to_string(),
              static_cast<std::int64_t>(content.size())};
}

}  // namespace

RegistryBench::RegistryBench()
    : clock(from_micros(kStart)),
      database(db::testing::open_scratch_database(clock)),
      store(storage::make_memory_store()) {
  options.boot_id = "this-boot";
  options.free_space_floor = ByteCount{0};
  uploads = std::make_unique<Uploads>(database.get(), *store, locks, options);
  admin = add_user("admin", true);
}

UserId RegistryBench::add_user(const std::string& name, bool sysadmin) {
  const Time now = clock.now();
  return UserId{database
                    ->write([&](db::WriteSession& session) {
                      return session.insert(
                          "INSERT INTO user_account (username, email, realname, comment, "
                          "password_hash, sysadmin, "
                          "deleted, credential_version, creation_time, update_time) "
                          "VALUES (?, ?, '', '', '', ?, 0, 1, ?, ?)",
                          {name, name + "@example.com", sysadmin, now, now});
                    })
                    .value()};
}

ProjectId RegistryBench::add_project(const std::string& name, bool is_public) {
  const Time now = clock.now();
  return ProjectId{
      database
          ->write([&](db::WriteSession& session) {
            return session.insert(
                "INSERT INTO project (name, owner_id, public, creation_time, update_time) "
                "VALUES (?, ?, ?, ?, ?)",
                {name, admin, is_public, now, now});
          })
          .value()};
}

void RegistryBench::add_member(ProjectId project, UserId user, auth::Role role) {
  const Time now = clock.now();
  execute(
      "INSERT INTO project_member (project_id, entity_type, entity_id, role, creation_time, "
      "update_time) VALUES (?, 'u', ?, ?, ?, ?)",
      {project, user, static_cast<int>(role), now, now});
}

void RegistryBench::set_quota(ProjectId project, std::int64_t limit) {
  const auto set = database->write(
      [&](db::WriteSession& session) { return set_storage_limit(session, project, limit); });
  if (set) {
    return;
  }
  const Time now = clock.now();
  execute(
      "INSERT INTO quota (project_id, hard_limit, used, creation_time, update_time) "
      "VALUES (?, ?, 0, ?, ?)",
      {project, limit, now, now});
}

auth::Principal RegistryBench::person(UserId user) const {
  auth::Principal principal;
  principal.kind = auth::Principal::Kind::kUser;
  principal.user = user;
  principal.name = fmt::format("user{}", user.value);
  principal.credential_version = 1;
  return principal;
}

Caller RegistryBench::pull(const auth::Principal& principal) {
  return caller_for(principal, auth::Action::kPull);
}
Caller RegistryBench::push(const auth::Principal& principal) {
  return caller_for(principal, auth::Action::kPush);
}
Caller RegistryBench::remove(const auth::Principal& principal) {
  return caller_for(principal, auth::Action::kDelete);
}

Result<model::Digest> RegistryBench::try_blob(const auth::Principal& principal,
                                              const std::string& name, std::string_view content,
                                              model::Algorithm algorithm) {
  const auto where = repository(name);
  const auto upload = TRY(uploads->start(push(principal), where, algorithm));
  const auto session = TRY(uploads->open(push(principal), where, upload.id, {0, content.size()}));
  TRY(session->write(bytes_of(content)));
  model::Digest content_digest = model::Digest::of(content, algorithm);
  TRY(session->commit(content_digest));
  return content_digest;
}

model::Digest RegistryBench::put_blob(const std::string& name, std::string_view content,
                                      model::Algorithm algorithm) {
  return try_blob(person(admin), name, content, algorithm).value();
}

Result<PushedManifest> RegistryBench::try_manifest(const std::string& name,
                                                   const std::string& tag_name,
                                                   std::string_view bytes,
                                                   const std::vector<std::string>& more) {
  const auto where = repository(name);
  const model::Reference reference = tag_name.empty() ? model::Reference(model::Digest::of(bytes))
                                                      : model::Reference(tag(tag_name));
  std::vector<model::Tag> tags;
  for (const std::string& text : more) {
    tags.push_back(tag(text));
  }
  const auth::Principal principal = person(admin);
  return registry::put_manifest(database.get(), *store, options, push(principal),
                                {where, reference, {}, bytes, std::move(tags)});
}

model::Digest RegistryBench::put_manifest(const std::string& name, const std::string& tag_name,
                                          std::string_view bytes) {
  return digest(try_manifest(name, tag_name, bytes).value().digest);
}

model::Digest RegistryBench::put_image(const std::string& name, const std::string& tag_name,
                                       const std::string& seed) {
  const std::string config = R"({"architecture":"amd64","os":"linux","author":")" + seed + "\"}";
  const std::string layer = "layer of " + seed;
  put_blob(name, config);
  put_blob(name, layer);
  return put_manifest(name, tag_name, image_json(config_part(config), {layer_part(layer)}));
}

std::int64_t RegistryBench::number(std::string_view sql, std::initializer_list<db::Param> params) {
  const auto found = database->read([&](db::ReadSession& session) {
    return session.first(sql, params, [](const db::Row& row) { return row.integer(0); });
  });
  EXPECT_TRUE(found) << describe(found.error()) << " in " << sql;
  return found ? found->value_or(0) : -1;
}

std::int64_t RegistryBench::execute(std::string_view sql, std::initializer_list<db::Param> params) {
  const auto changed =
      database->write([&](db::WriteSession& session) { return session.execute(sql, params); });
  EXPECT_TRUE(changed) << describe(changed.error()) << " in " << sql;
  return changed ? *changed : -1;
}

std::int64_t RegistryBench::used(ProjectId project) {
  return number("SELECT used FROM quota WHERE project_id = ?", {project}) +
         number("SELECT COALESCE(SUM(bytes), 0) FROM quota_delta WHERE project_id = ?", {project}) -
         number("SELECT COALESCE(SUM(headroom), 0) FROM quota_slice WHERE project_id = ?",
                {project});
}

RepositoryId RegistryBench::repository_id(const std::string& full_name) {
  return RepositoryId{number("SELECT id FROM repository WHERE full_name = ?", {full_name})};
}

model::RepositoryName repository(std::string_view text) {
  return model::RepositoryName::parse(text).value();
}
model::Tag tag(std::string_view text) {
  return model::Tag::parse(text).value();
}
model::Digest digest(std::string_view text) {
  return model::Digest::parse(text).value();
}

std::string image_json(const Part& config, const std::vector<Part>& layers,
                       const std::string& extra) {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":{}{}}})",
                     model::media_type::kOciManifest, descriptor(config), descriptors(layers),
                     extra);
}

std::string index_json(const std::vector<Part>& children, const std::string& extra) {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":{}{}}})",
                     model::media_type::kOciIndex, descriptors(children), extra);
}

Part config_part(std::string_view content) {
  return part_of(model::media_type::kOciConfig, content);
}
Part layer_part(std::string_view content) {
  return part_of("application/vnd.oci.image.layer.v1.tar", content);
}
Part manifest_part(std::string_view bytes) {
  return part_of(model::media_type::kOciManifest, bytes);
}
std::string subject_json(std::string_view manifest) {
  return ",\"subject\":" + descriptor(manifest_part(manifest));
}

}  // namespace roadstead::registry::testing
