#include "importer/distribution.h"

#include <utility>

#include "auth/project_access.h"
#include "importer/internal/distribution_layout.h"
#include "importer/internal/pass.h"
#include "project/project_store.h"

namespace roadstead::importer {
namespace internal {

Result<void> Pass::go_on() const {
  if (stop.stop_requested()) {
    return Error{Code::kUnavailable,
                 Subject::kNone,
                 "the import was stopped; run again, it goes on where it ended",
                 {}};
  }
  return {};
}

void Pass::add_problem(std::string_view object, const Error& error) {
  constexpr std::size_t kLineMax = 600;
  std::string line = std::string(object) + ": " + error.message;
  if (!error.detail.empty() && line.find(error.detail) == std::string::npos) {
    line += " (" + error.detail + ")";
  }
  line.resize(std::min(line.size(), kLineMax));
  report.with([&](ImportReport& now) {
    ++now.problem_count;
    if (now.problems.size() < ImportReport::kProblemsMax) {
      now.problems.push_back(std::move(line));
    }
  });
}

Result<void> Pass::forgive(std::string_view object, const Error& error) {
  if (error.subject == Subject::kDatabase || error.code == Code::kUnavailable) {
    return error;
  }
  add_problem(object, error);
  return {};
}

Result<std::optional<ProjectId>> Pass::find_project(std::string_view name) {
  if (const auto known = projects.find(name); known != projects.end()) {
    return std::optional(known->second);
  }
  const auto access = TRY(parts.database.read([&](db::ReadSession& session) {
    return auth::ProjectAccess::read(session, parts.administrator, name);
  }));
  if (!access) {
    return std::optional<ProjectId>();
  }
  projects.emplace(name, access->project());
  return std::optional(access->project());
}

Result<ProjectId> Pass::make_project(std::string_view name) {
  if (const auto found = TRY(find_project(name))) {
    return *found;
  }
  const project::NewProject fresh{std::string(name),
                                  parts.administrator.user,
                                  {{"public", options.public_projects ? "true" : "false"}},
                                  -1};
  const ProjectId id = TRY(parts.database.write(
      [&](db::WriteSession& session) { return project::create(session, fresh); }));
  projects.emplace(name, id);
  return id;
}

namespace {

constexpr std::size_t kPage = 1'000;
/// Of a repository's name, in every registry.
constexpr std::size_t kNameMax = 255;

/// Finds repositories, depth first.
class Walk {
 public:
  explicit Walk(Pass& pass) : pass_(pass) {}

  /// Folders below `name`, "" for all. As deep as a name has components.
  Result<void> visit(const std::string& name) {
    const std::string folder = name.empty() ? std::string(kRepositories) : repository_folder(name);
    for (std::string cursor;;) {
      TRY(pass_.go_on());
      const auto page = pass_.source.list(folder, cursor, kPage);
      if (!page) {
        return pass_.forgive(name, page.error());
      }
      for (const std::string& child : page->names) {
        TRY(visit_child(name, child));
      }
      if (page->next.empty()) {
        return {};
      }
      cursor = page->next;
    }
  }

 private:
  Result<void> visit_child(const std::string& name, const std::string& child) {
    if (child == kManifests) {
      return name.empty() ? Result<void>() : take(name);
    }
    // Names of repositories do not begin like this: it is what belongs to `name`.
    if (child.starts_with('_')) {
      return {};
    }
    const std::string whole = name.empty() ? child : name + '/' + child;
    if (whole.size() > kNameMax) {
      pass_.add_problem(
          whole, {Code::kInvalid, Subject::kName, "no repository can have so long a name", {}});
      return {};
    }
    return visit(whole);
  }

  Result<void> take(const std::string& name) {
    pass_.report.with([&](ImportReport& now) { now.at = name; });
    const bool bare = name.find('/') == std::string::npos;
    const std::string target_name = bare ? pass_.options.project + '/' + name : name;
    const auto target = model::RepositoryName::parse(target_name);
    if (!target) {
      pass_.add_problem(target_name, target.error());
      return {};
    }
    if (const auto named = project::check_project_name(target->project()); !named) {
      pass_.add_problem(target_name, named.error());
      return {};
    }
    if (bare && TRY(has_manifests(target_name))) {
      pass_.add_problem(name, {Code::kConflict,
                               Subject::kName,
                               "there is a repository " + target_name +
                                   " as well: choose another --project for this one",
                               {}});
      return {};
    }
    pass_.report.with([](ImportReport& now) { ++now.repositories; });
    return import_repository(pass_, name, *target);
  }

  Result<bool> has_manifests(const std::string& name) {
    const std::string folder = repository_folder(name).append("/").append(kManifests);
    const auto page = pass_.source.list(folder, {}, 1);
    if (!page && page.error().code == Code::kUnavailable) {
      return page.error();
    }
    return page && !(page->names.empty() && page->next.empty());
  }

  Pass& pass_;
};

}  // namespace
}  // namespace internal

DistributionImport::DistributionImport(const Parts& parts, SourceTree& source,
                                       ImportOptions options)
    : parts_(parts), source_(source), options_(std::move(options)) {}

Result<ImportReport> DistributionImport::run(const std::stop_token& stop) {
  TRY(project::check_project_name(options_.project));
  const auto first = source_.list(std::string(internal::kRepositories), {}, 1);
  if (!first && first.error().code == Code::kUnavailable) {
    return first.error();
  }
  if (!first || (first->names.empty() && first->next.empty())) {
    return Error{Code::kNotFound,
                 Subject::kConfiguration,
                 "there is nothing to import: no " + std::string(internal::kRepositories) +
                     " below the root, which is the rootdirectory of the other registry" +
                     (first ? std::string() : ": " + first.error().message),
                 {}};
  }
  internal::Pass pass{parts_, source_, options_, stop, report_};
  TRY(internal::Walk(pass).visit(""));
  return progress();
}

ImportReport DistributionImport::progress() const {
  return report_.with([](const ImportReport& now) { return now; });
}

}  // namespace roadstead::importer
