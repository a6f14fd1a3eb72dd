#include <fmt/format.h>

#include "auth/list_check.h"
#include "fsck/internal/pass.h"
#include "model/manifest.h"
#include "project/check.h"

namespace roadstead::fsck::internal {
namespace {

constexpr std::size_t kPage = 500;
/// Each is up to 4 MiB.
constexpr std::size_t kManifestsPage = 16;
constexpr std::size_t kArtifactsPage = 100;
/// Some two thousand rows are walked for each.
constexpr std::size_t kStretchesPage = 16;

Result<void> check_list(Pass& pass, const auth::CountedList& list) {
  auth::ListKey from = auth::ListKey::lowest();
  for (;;) {
    TRY(pass.go_on());
    auto check = TRY(pass.stores.database.read([&](db::ReadSession& session) {
      return auth::check_list(session, list, from, kStretchesPage);
    }));
    ++pass.report.rows;
    if (!check.agrees) {
      const auto rebuild = [&](db::WriteSession& session) -> Result<bool> {
        TRY(auth::rebuild_list(session, list));
        return true;
      };
      const bool repaired = TRY(pass.repair(rebuild));
      pass.report.add({"list_count", fmt::format("list {} of {}", list.name, list.scope),
                       "its stretches do not agree with its rows", repaired});
      return {};
    }
    if (!check.next) {
      return {};
    }
    from = std::move(*check.next);
  }
}

Result<void> check_row_kind(Pass& pass, const registry::RowCheck& check) {
  registry::CheckCursor after;
  for (;;) {
    TRY(pass.go_on());
    const auto page = TRY(pass.stores.database.read(
        [&](db::ReadSession& session) { return check.find(session, after, check.page); }));
    pass.report.rows += page.rows;
    for (const registry::Disagreement& found : page.found) {
      const bool repaired =
          check.repair != nullptr &&
          TRY(pass.repair([&](db::WriteSession& session) { return check.repair(session, found); }));
      pass.report.add({std::string(check.kind), found.object, found.detail, repaired});
    }
    if (!page.next) {
      return {};
    }
    after = *page.next;
  }
}

Result<void> check_edge(Pass& pass, const registry::MissingEdge& edge) {
  if (!edge.target_exists) {
    // Perhaps a file without a row is what it leads to: check_files() tells the end of it.
    if (edge.to_child || !pass.wanted.add(edge)) {
      pass.report.add({edge.to_child ? "child_missing" : "edge_missing", edge.object,
                       std::string(kTargetLost), false});
    }
    return {};
  }
  const bool repaired = TRY(pass.repair(
      [&](db::WriteSession& session) { return registry::restore_edge(session, edge); }));
  pass.report.add({"edge_missing", edge.object, {}, repaired});
  return {};
}

Result<void> check_edges(Pass& pass, ManifestId manifest, const model::Manifest& content) {
  const registry::EdgeQuestion question{manifest, content, pass.options.sparse_indexes};
  ArtifactId after;
  for (;;) {
    TRY(pass.go_on());
    const auto page = TRY(pass.stores.database.read([&](db::ReadSession& session) {
      return registry::missing_edges(session, question, after, kArtifactsPage);
    }));
    for (const registry::MissingEdge& edge : page.missing) {
      TRY(check_edge(pass, edge));
    }
    if (!page.next) {
      return {};
    }
    after = *page.next;
  }
}

Result<void> check_manifest(Pass& pass, const registry::StoredManifest& manifest) {
  const auto digest = model::Digest::parse(manifest.digest);
  const auto corrupt = [&](std::string why) {
    pass.report.add({"manifest_corrupt", manifest.digest, std::move(why), false});
  };
  if (!digest || model::Digest::of(manifest.bytes, digest->algorithm()) != *digest) {
    corrupt("its bytes do not have this digest; pushing it again heals it");
    return {};
  }
  if (manifest.size != static_cast<std::int64_t>(manifest.bytes.size())) {
    corrupt("its size is recorded wrongly; pushing it again heals it");
    return {};
  }
  const auto content = model::parse_manifest(manifest.bytes, manifest.media_type);
  if (!content) {
    corrupt(content.error().message);
    return {};
  }
  return check_edges(pass, manifest.id, *content);
}

}  // namespace

Result<void> check_lists(Pass& pass) {
  for (const auto& lists : {registry::counted_lists(), project::counted_lists()}) {
    for (const auth::CountedList& list : lists) {
      TRY(check_list(pass, list));
    }
  }
  for (ProjectId after;;) {
    const auto projects = TRY(pass.stores.database.read(
        [&](db::ReadSession& session) { return registry::projects_after(session, after, kPage); }));
    for (const ProjectId project : projects) {
      for (const auth::CountedList& list : registry::counted_lists_of(project)) {
        TRY(check_list(pass, list));
      }
    }
    if (projects.empty()) {
      break;
    }
    after = projects.back();
  }
  for (RepositoryId after;;) {
    const auto repositories = TRY(pass.stores.database.read([&](db::ReadSession& session) {
      return registry::repositories_after(session, after, kPage);
    }));
    for (const RepositoryId repository : repositories) {
      TRY(check_list(pass, registry::counted_list_of(repository)));
    }
    if (repositories.empty()) {
      return {};
    }
    after = repositories.back();
  }
}

Result<void> check_manifests(Pass& pass) {
  for (ManifestId after;;) {
    TRY(pass.go_on());
    const auto page = TRY(pass.stores.database.read([&](db::ReadSession& session) {
      return registry::manifests_after(session, after, kManifestsPage);
    }));
    for (const registry::StoredManifest& manifest : page) {
      TRY(check_manifest(pass, manifest));
      ++pass.report.rows;
    }
    if (page.empty()) {
      return {};
    }
    after = page.back().id;
  }
}

Result<void> check_rows(Pass& pass) {
  for (const registry::RowCheck& check : registry::row_checks()) {
    TRY(check_row_kind(pass, check));
  }
  return {};
}

Result<void> check_quota(Pass& pass) {
  for (ProjectId after;;) {
    const auto projects = TRY(pass.stores.database.read(
        [&](db::ReadSession& session) { return registry::projects_after(session, after, kPage); }));
    for (const ProjectId project : projects) {
      TRY(pass.go_on());
      const auto usage = TRY(pass.stores.database.read(
          [&](db::ReadSession& session) { return registry::recount_usage(session, project); }));
      ++pass.report.rows;
      if (usage.counted == usage.actual) {
        continue;
      }
      const auto correct = [&](db::WriteSession& session) -> Result<bool> {
        TRY(registry::correct_usage(session, project, usage));
        return true;
      };
      const bool repaired = TRY(pass.repair(correct));
      pass.report.add(
          {"quota", usage.project,
           fmt::format("{} bytes are counted, {} are there", usage.counted, usage.actual),
           repaired});
    }
    if (projects.empty()) {
      return {};
    }
    after = projects.back();
  }
}

}  // namespace roadstead::fsck::internal
