#include "api/operation/openapi.h"

#include "api/v2/operations.h"
#include "app/serve.h"
#include "app/version.h"

namespace roadstead::app {
namespace {

/// The table of operations is described without running any of them, so nothing stands behind it
/// here.
class NoDatabase final : public db::Database {
 public:
  [[nodiscard]] bool reads_are_local() const override { return false; }
  Result<void> ping() override { return absent(); }

 protected:
  Result<void> run_read(const std::function<Result<void>(db::ReadSession&)>& /*fn*/) override {
    return absent();
  }
  Result<void> run_write(const std::function<Result<void>(db::WriteSession&)>& /*fn*/) override {
    return absent();
  }

 private:
  static Error absent() {
    return Error{Code::kUnavailable, Subject::kDatabase, "there is no database", {}};
  }
};

class NoContent final : public project::ProjectContent {
 public:
  Result<std::int64_t> count_repositories(db::ReadSession& /*session*/,
                                          ProjectId /*project*/) override {
    return 0;
  }
  Result<bool> has_repositories(db::ReadSession& /*session*/, ProjectId /*project*/) override {
    return false;
  }
  Result<void> empty(ProjectId /*project*/) override { return {}; }
  Result<void> remove_invisible(db::WriteSession& /*session*/, ProjectId /*project*/) override {
    return {};
  }
};

}  // namespace

std::string openapi_text() {
  NoDatabase database;
  NoContent content;
  auth::PasswordPool passwords({1, 1});
  auth::UserStore users(database, passwords);
  const registry::Options options;
  const auto operations = api::v2_operations(
      {database, users, content, options, {std::string(kVersion), "", "filesystem"}});
  return api::openapi_document(operations, {"Roadstead", kVersion, api::kV2Base});
}

}  // namespace roadstead::app
