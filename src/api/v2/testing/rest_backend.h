#pragma once

#include <string>

#include "api/operation/router.h"
#include "api/operation/testing/backend.h"
#include "api/v2/operations.h"
#include "project/project_content.h"

namespace roadstead::api::testing {

/// The real content of projects, as app/ wires it.
class RegistryContent final : public project::ProjectContent {
 public:
  explicit RegistryContent(db::Database& database) : database_(database) {}
  Result<std::int64_t> count_repositories(db::ReadSession& session, ProjectId project) override;
  Result<bool> has_repositories(db::ReadSession& session, ProjectId project) override;
  Result<void> empty(ProjectId project) override;
  Result<void> remove_invisible(db::WriteSession& session, ProjectId project) override;

 private:
  db::Database& database_;
};

/// The REST API on a scratch database with the default project.
class RestBackend {
 public:
  RestBackend();

  Answer send(const Ask& ask);
  Answer get(const std::string& path, const std::string& as = {});
  Answer post(const std::string& path, const std::string& body, const std::string& as = {});
  Answer put(const std::string& path, const std::string& body, const std::string& as = {});
  Answer remove(const std::string& path, const std::string& as = {});

  Backend below;
  RegistryContent content;
  registry::Options registry_options;
  std::unique_ptr<storage::BlobStore> store;
  storage::DigestLocks locks;
  log::Sink sink;
  std::unique_ptr<replica::Member> member;
  gc::Collector collector;
  Router router;
};

}  // namespace roadstead::api::testing
