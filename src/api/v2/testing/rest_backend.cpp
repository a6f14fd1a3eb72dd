#include "api/v2/testing/rest_backend.h"

#include "base/check.h"
#include "project/project_store.h"
#include "registry/listing.h"
#include "registry/remove.h"
#include "storage/filesystem.h"

namespace roadstead::api::testing {

Result<std::int64_t> RegistryContent::count_repositories(db::ReadSession& session,
                                                         ProjectId project) {
  return registry::count_repositories(session, project);
}
Result<bool> RegistryContent::has_repositories(db::ReadSession& session, ProjectId project) {
  return registry::has_repositories(session, project);
}
Result<void> RegistryContent::empty(ProjectId project) {
  return registry::empty_project(database_, project);
}
Result<void> RegistryContent::remove_invisible(db::WriteSession& session, ProjectId project) {
  return registry::remove_invisible(session, project);
}

RestBackend::RestBackend()
    : content(*below.database),
      store(storage::make_memory_store()),
      sink(2, log::Format::kText, log::Level::kError, below.clock),
      member(replica::Member::join(*below.database, {"here", "jobs", "0.0.0"}, log::Logger(sink))
                 .value()),
      collector({*below.database, *store, locks, registry_options, *member, log::Logger(sink)},
                {.interval = std::chrono::seconds{0}, .delete_untagged = false, .answered = {}}),
      router(kV2Base,
             v2_operations({.database = *below.database,
                            .users = below.users,
                            .content = content,
                            .registry_options = registry_options,
                            .collector = &collector,
                            .installation = {.version = "0.0.0",
                                             .external_url = {},
                                             .storage_provider = "filesystem"},
                            .store_answers = {}}),
             {.database = *below.database, .authenticator = *below.authenticator}) {
  CHECK(below.database->write(
      [](db::WriteSession& session) { return project::create_default_project(session); }));
}

Answer RestBackend::send(const Ask& ask) {
  return below.send(
      [&](const http::Request& request, http::RouteParameters& parameters) -> http::Endpoint& {
        return router.route(request, parameters);
      },
      ask);
}

Answer RestBackend::get(const std::string& path, const std::string& as) {
  return send({.target = std::string(kV2Base) + path, .as = as});
}

Answer RestBackend::post(const std::string& path, const std::string& body, const std::string& as) {
  return send({.method = http::Method::kPost,
               .target = std::string(kV2Base) + path,
               .as = as,
               .body = body});
}

Answer RestBackend::put(const std::string& path, const std::string& body, const std::string& as) {
  return send({.method = http::Method::kPut,
               .target = std::string(kV2Base) + path,
               .as = as,
               .body = body});
}

Answer RestBackend::remove(const std::string& path, const std::string& as) {
  return send({.method = http::Method::kDelete, .target = std::string(kV2Base) + path, .as = as});
}

}  // namespace roadstead::api::testing
