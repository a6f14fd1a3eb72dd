#include "api/v2/describe.h"

#include "api/operation/openapi.h"
#include "api/v2/operations.h"

namespace roadstead::api {
namespace {

Error nothing_here() {
  return {Code::kUnavailable, Subject::kDatabase, "there is no database behind a description", {}};
}

/// The operations are made to be described and never run.
class NoDatabase final : public db::Database {
 public:
  [[nodiscard]] bool reads_are_local() const override { return false; }
  Result<void> ping() override { return nothing_here(); }
  [[nodiscard]] db::Statistics statistics() const override { return {}; }
  Result<void> copy_to(const std::filesystem::path& /*path*/) override { return nothing_here(); }

 protected:
  Result<void> run_read(const std::function<Result<void>(db::ReadSession&)>& /*fn*/,
                        Snapshot /*snapshot*/) override {
    return nothing_here();
  }
  Result<void> run_write(const std::function<Result<void>(db::WriteSession&)>& /*fn*/,
                         db::Durability /*durability*/) override {
    return nothing_here();
  }
};

class NoContent final : public project::ProjectContent {
 public:
  Result<std::int64_t> count_repositories(db::ReadSession& /*session*/,
                                          ProjectId /*project*/) override {
    return nothing_here();
  }
  Result<bool> has_repositories(db::ReadSession& /*session*/, ProjectId /*project*/) override {
    return nothing_here();
  }
  Result<void> empty(ProjectId /*project*/) override { return nothing_here(); }
  Result<void> remove_invisible(db::WriteSession& /*session*/, ProjectId /*project*/) override {
    return nothing_here();
  }
};

}  // namespace

std::string v2_openapi_document(std::string_view version) {
  NoDatabase database;
  NoContent content;
  auth::PasswordPool passwords({.threads = 1, .queue_max = 1});
  auth::UserStore users(database, passwords);
  const registry::Options options;
  const std::vector<Operation> operations = v2_operations(
      {.database = database,
       .users = users,
       .content = content,
       .registry_options = options,
       .installation = {
           .version = std::string(version), .external_url = {}, .storage_provider = {}}});
  return openapi_document(operations, {.title = "Roadstead", .version = version, .base = kV2Base});
}

}  // namespace roadstead::api
