#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "db/testing/scratch_database.h"
#include "registry/listing.h"
#include "registry/options.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "registry/remove.h"
#include "registry/upload.h"
#include "storage/filesystem.h"

namespace roadstead::registry::testing {

/// A whole registry for tests: scratch database on a clock that stands still, memory store, users
/// and projects by the rows they are. Failures that a test does not expect abort.
class RegistryBench {
 public:
  RegistryBench();

  UserId add_user(const std::string& name, bool sysadmin = false);
  ProjectId add_project(const std::string& name, bool is_public = false);
  void add_member(ProjectId project, UserId user, auth::Role role);
  void set_quota(ProjectId project, std::int64_t limit);

  /// Signed in by password.
  auth::Principal person(UserId user) const;
  static Caller pull(const auth::Principal& principal);
  static Caller push(const auth::Principal& principal);
  static Caller remove(const auth::Principal& principal);

  /// Uploads `content` into a repository as `admin`; its digest.
  model::Digest put_blob(const std::string& repository, std::string_view content,
                         model::Algorithm algorithm = model::Algorithm::kSha256);
  Result<model::Digest> try_blob(const auth::Principal& principal, const std::string& repository,
                                 std::string_view content,
                                 model::Algorithm algorithm = model::Algorithm::kSha256);
  /// Pushes manifest bytes as `admin` under a tag, or under their digest when `tag` is empty.
  Result<PushedManifest> try_manifest(const std::string& repository, const std::string& tag,
                                      std::string_view bytes,
                                      const std::vector<std::string>& more = {});
  model::Digest put_manifest(const std::string& repository, const std::string& tag,
                             std::string_view bytes);
  /// Uploads a config and one layer made from `seed`, then their manifest.
  model::Digest put_image(const std::string& repository, const std::string& tag,
                          const std::string& seed);

  /// First column of the first row, 0 when there is none.
  std::int64_t number(std::string_view sql, std::initializer_list<db::Param> params = {});
  /// Runs one statement that changes rows.
  std::int64_t execute(std::string_view sql, std::initializer_list<db::Param> params = {});
  /// What the quota of a project comes to.
  std::int64_t used(ProjectId project);
  [[nodiscard]] RepositoryId repository_id(const std::string& full_name);

  FakeClock clock;
  db::testing::ScratchDatabase database;
  std::unique_ptr<storage::BlobStore> store;
  storage::DigestLocks locks;
  Options options;
  std::unique_ptr<Uploads> uploads;
  UserId admin;
};

model::RepositoryName repository(std::string_view text);
model::Tag tag(std::string_view text);
model::Digest digest(std::string_view text);

/// Manifests as JSON text.
struct Part {
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;
};
std::string image_json(const Part& config, const std::vector<Part>& layers,
                       const std::string& extra = {});
std::string index_json(const std::vector<Part>& children, const std::string& extra = {});
Part config_part(std::string_view content);
Part layer_part(std::string_view content);
Part manifest_part(std::string_view bytes);
/// ,"subject":{…}
std::string subject_json(std::string_view manifest);

}  // namespace roadstead::registry::testing
