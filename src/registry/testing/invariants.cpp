#include "registry/testing/invariants.h"

#include <array>

#include <fmt/format.h>

#include "auth/list_check.h"
#include "model/manifest.h"
#include "registry/blob_content.h"
#include "registry/check.h"
#include "registry/collect.h"
#include "registry/upkeep.h"

namespace roadstead::registry::testing {
namespace {

constexpr std::size_t kPage = 1000;

struct Rule {
  std::string_view what;
  std::string_view sql;  ///< Counts what breaks it.
};

constexpr std::array kRules{
    Rule{"needed blobs are condemned",
         "SELECT COUNT(*) FROM repository_blob rb JOIN artifact_blob ab ON ab.repository_id = "
         "rb.repository_id AND ab.blob_id = rb.blob_id WHERE rb.condemned_at IS NOT NULL"},
    Rule{"needed blobs are not counted",
         "SELECT COUNT(*) FROM repository_blob rb JOIN artifact_blob ab ON ab.repository_id = "
         "rb.repository_id AND ab.blob_id = rb.blob_id WHERE NOT EXISTS (SELECT 1 FROM "
         "project_blob pb WHERE pb.project_id = rb.project_id AND pb.blob_id = rb.blob_id)"},
    Rule{"kept artifacts are condemned",
         "SELECT COUNT(*) FROM artifact a WHERE a.condemned_at IS NOT NULL AND (EXISTS (SELECT 1 "
         "FROM tag t WHERE t.artifact_id = a.id) OR EXISTS (SELECT 1 FROM artifact_child c WHERE "
         "c.child_id = a.id)) AND NOT EXISTS (SELECT 1 FROM review v WHERE v.kind = 'artifact' "
         "AND v.object_id = a.id)"},
    Rule{"holds without a question",
         "SELECT COUNT(*) FROM repository_blob rb WHERE NOT EXISTS (SELECT 1 FROM artifact_blob ab "
         "WHERE ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id) AND NOT EXISTS "
         "(SELECT 1 FROM review v WHERE v.kind = 'repository_blob' AND v.repository_id = "
         "rb.repository_id AND v.object_id = rb.blob_id)"},
    Rule{"blobs without a question",
         "SELECT COUNT(*) FROM blob b WHERE NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE "
         "rb.blob_id = b.id) AND NOT EXISTS (SELECT 1 FROM review v WHERE v.kind = 'blob' AND "
         "v.object_id = b.id)"},
    Rule{"manifests without a question",
         "SELECT COUNT(*) FROM manifest f WHERE NOT EXISTS (SELECT 1 FROM artifact a WHERE "
         "a.manifest_id = f.id) AND NOT EXISTS (SELECT 1 FROM artifact_trash t WHERE t.manifest_id "
         "= f.id) AND NOT EXISTS (SELECT 1 FROM review v WHERE v.kind = 'manifest' AND v.object_id "
         "= f.id)"},
    Rule{"manifests that can be restored are gone",
         "SELECT COUNT(*) FROM artifact_trash t WHERE NOT EXISTS (SELECT 1 FROM manifest f WHERE "
         "f.id = t.manifest_id)"},
    Rule{"blobs without their rows of content",
         "SELECT COUNT(*) FROM blob b WHERE b.location = 'inline' AND NOT EXISTS (SELECT 1 FROM "
         "blob_content c WHERE c.blob_id = b.id)"}};

constexpr std::array kLeftovers{
    Rule{"holds that nothing needs",
         "SELECT COUNT(*) FROM repository_blob rb WHERE NOT EXISTS (SELECT 1 FROM artifact_blob ab "
         "WHERE ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id)"},
    Rule{"blobs that nobody holds",
         "SELECT COUNT(*) FROM blob b WHERE NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE "
         "rb.blob_id = b.id)"},
    Rule{"blobs that are counted for nothing",
         "SELECT COUNT(*) FROM project_blob pb WHERE NOT EXISTS (SELECT 1 FROM repository_blob rb "
         "WHERE rb.blob_id = pb.blob_id AND rb.project_id = pb.project_id)"},
    Rule{"manifests of nothing",
         "SELECT COUNT(*) FROM manifest f WHERE NOT EXISTS (SELECT 1 FROM artifact a WHERE "
         "a.manifest_id = f.id)"},
    Rule{"empty repositories", "SELECT COUNT(*) FROM repository WHERE artifact_count = 0"},
    Rule{"questions", "SELECT COUNT(*) FROM review"},
    Rule{"trash", "SELECT COUNT(*) FROM artifact_trash"},
    Rule{"contents queued", "SELECT COUNT(*) FROM deleting"},
    Rule{"contents without a blob",
         "SELECT COUNT(*) FROM blob_content c WHERE NOT EXISTS (SELECT 1 FROM blob b WHERE b.id = "
         "c.blob_id AND b.location = 'inline')"}};

/// In one statement, as the tests ask for it again and again.
Result<std::string> count_all(db::ReadSession& session, std::span<const Rule> rules) {
  std::string sql;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    sql += fmt::format("{}SELECT {}, ({})", i == 0 ? "" : " UNION ALL ", i, rules[i].sql);
  }
  std::string broken;
  TRY(session.each(sql, {}, [&](const db::Row& row) {
    if (row.integer(1) != 0) {
      const Rule& rule = rules[static_cast<std::size_t>(row.integer(0))];
      broken += fmt::format("{} {}\n", row.integer(1), rule.what);
    }
    return true;
  }));
  return broken;
}

Result<std::string> check_rows(db::ReadSession& session) {
  std::string broken;
  for (const RowCheck& check : row_checks()) {
    const auto page = TRY(check.find(session, {}, kPage));
    for (const Disagreement& found : page.found) {
      broken += fmt::format("{}: {} {}\n", check.kind, found.object, found.detail);
    }
  }
  return broken;
}

Result<std::string> check_edges(db::ReadSession& session) {
  std::string broken;
  const auto manifests = TRY(manifests_after(session, {}, kPage));
  for (const StoredManifest& manifest : manifests) {
    const auto content = TRY(model::parse_manifest(manifest.bytes, manifest.media_type));
    const auto page = TRY(missing_edges(session, {manifest.id, content, false}, {}, kPage));
    for (const MissingEdge& edge : page.missing) {
      broken += "missing edge " + edge.object + "\n";
    }
  }
  return broken;
}

Result<std::string> check_lists(db::ReadSession& session) {
  std::vector<auth::CountedList> lists = counted_lists();
  const auto projects = TRY(projects_after(session, {}, kPage));
  for (const ProjectId project : projects) {
    const auto more = counted_lists_of(project);
    lists.insert(lists.end(), more.begin(), more.end());
  }
  const auto repositories = TRY(repositories_after(session, {}, kPage));
  for (const RepositoryId repository : repositories) {
    lists.push_back(counted_list_of(repository));
  }
  std::string broken;
  for (const auth::CountedList& list : lists) {
    const auto check = TRY(auth::check_list(session, list, auth::ListKey::lowest(), kPage));
    if (!check.agrees) {
      broken += fmt::format("list {} of {} does not agree with its rows\n", list.name, list.scope);
    }
  }
  return broken;
}

Result<std::string> check_usage(db::ReadSession& session) {
  std::string broken;
  const auto projects = TRY(projects_after(session, {}, kPage));
  for (const ProjectId project : projects) {
    const Usage usage = TRY(recount_usage(session, project));
    if (usage.counted != usage.actual) {
      broken += fmt::format("project {}: {} bytes are counted, {} are there\n", usage.project,
                            usage.counted, usage.actual);
    }
  }
  return broken;
}

Result<std::string> check_bytes(db::ReadSession& session, storage::BlobStore& store) {
  std::string broken;
  const auto blobs = TRY(blobs_after(session, {}, kPage));
  for (const BlobRow& blob : blobs) {
    if (!is_inline(blob) && !store.stat(blob.location)) {
      broken += fmt::format("the bytes of {} are gone\n", blob.digest);
    }
  }
  return broken;
}

Result<std::string> check_all(db::ReadSession& session, storage::BlobStore& store) {
  std::string broken = TRY(count_all(session, kRules));
  broken += TRY(check_rows(session));
  broken += TRY(check_edges(session));
  broken += TRY(check_lists(session));
  broken += TRY(check_usage(session));
  broken += TRY(check_bytes(session, store));
  return broken;
}

std::string text_of(const Result<std::string>& found) {
  return found ? *found : describe(found.error()) + "\n";
}

/// One round; false when there was nothing to do.
Result<bool> collect_some(RegistryBench& bench) {
  const auto page = TRY(review_due(bench.database.get(), bench.options, {.count = kPage}));
  if (page.postponed > 0) {
    return Error{Code::kInternal, Subject::kDatabase, page.problem, {}};
  }
  TRY(finish_deletions(bench.database.get(), bench.options, kPage));
  const auto forgotten = TRY(forget_trash(bench.database.get(), bench.options, kPage));
  const auto removed =
      TRY(remove_from_store(bench.database.get(), *bench.store, bench.locks, {kPage, 1}));
  return page.reviewed > 0 || forgotten > 0 || !removed.empty();
}

}  // namespace

std::string broken_invariants(RegistryBench& bench) {
  return text_of(bench.database->read(
      [&](db::ReadSession& session) { return check_all(session, *bench.store); }));
}

std::string collect_all(RegistryBench& bench) {
  constexpr int kRounds = 50;
  constexpr std::chrono::hours kLong{1'000};
  bench.clock.advance(kLong);
  for (int round = 0; round < kRounds; ++round) {
    const auto more = collect_some(bench);
    if (!more) {
      return describe(more.error()) + "\n";
    }
    if (!*more) {
      return {};
    }
  }
  return "the collector does not come to an end\n";
}

std::string leftovers(RegistryBench& bench) {
  std::string left = text_of(bench.database->read(
      [&](db::ReadSession& session) { return count_all(session, kLeftovers); }));
  const auto stored = bench.store->list("", kPage);
  const std::int64_t named = bench.number("SELECT COUNT(*) FROM blob WHERE location <> 'inline'");
  if (!stored || static_cast<std::int64_t>(stored->size()) != named) {
    left +=
        fmt::format("{} contents are stored for {} blobs\n", stored ? stored->size() : 0, named);
  }
  return left;
}

bool blob_readable(RegistryBench& bench, const std::string& name, const model::Digest& digest) {
  const auto principal = bench.person(bench.admin);
  const auto found = bench.database->read_once([&](db::ReadSession& session) {
    return find_blob(session, RegistryBench::pull(principal), repository(name), digest, {});
  });
  return found && (found->bytes || bench.store->stat(found->location).has_value());
}

std::string unreadable(RegistryBench& bench, const std::string& name, std::string_view manifest) {
  const auto principal = bench.person(bench.admin);
  const auto found = bench.database->read_once([&](db::ReadSession& session) {
    return find_manifest(session, RegistryBench::pull(principal), repository(name),
                         model::Digest::of(manifest), {});
  });
  if (!found || found->bytes != manifest) {
    return fmt::format("{}@{} is not there\n", name, model::Digest::of(manifest).to_string());
  }
  std::string lacking;
  const auto content = model::parse_manifest(manifest, found->media_type).value();
  auto blobs = content.layers;
  if (content.config) {
    blobs.push_back(*content.config);
  }
  for (const model::Descriptor& blob : blobs) {
    if (!blob_readable(bench, name, blob.digest)) {
      lacking += fmt::format("{} lacks {}\n", name, blob.digest.to_string());
    }
  }
  return lacking;
}

}  // namespace roadstead::registry::testing
