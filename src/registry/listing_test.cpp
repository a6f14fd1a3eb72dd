#include "registry/listing.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "db/testing/query_plans.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::image_json;
using testing::index_json;
using testing::manifest_part;
using testing::RegistryBench;
using testing::repository;
using testing::subject_json;

using Names = std::vector<std::string>;

std::vector<auth::SortKey> sorted_by(const std::string& key) {
  return key.empty() ? std::vector<auth::SortKey>{} : std::vector<auth::SortKey>{{key, false}};
}

class ListingTest : public ::testing::Test {
 protected:
  ListingTest() : project(bench.add_project("p")), who(bench.person(bench.admin)) {}

  std::string manifest(const std::string& note, const std::string& extra = {}) {
    bench.put_blob("p/app", "{}");
    return image_json(config_part("{}"), {}, R"(,"annotations":{"note":")" + note + "\"}" + extra);
  }
  template <typename F>
  auto read(F fn) {
    return bench.database->read(fn);
  }
  NamePage tags(std::int64_t n, std::string_view last = {}) {
    return read([&](db::ReadSession& session) {
             return list_tags(session, RegistryBench::pull(who), repo, n, last);
           })
        .value();
  }
  NamePage catalog(std::int64_t n, std::string_view last = {}) {
    return read([&](db::ReadSession& session) { return list_catalog(session, n, last); }).value();
  }
  ReferrerPage referrers(const std::string& subject, std::string_view type = {},
                         ArtifactId after = {}) {
    return read([&](db::ReadSession& session) {
             return list_referrers(session, RegistryBench::pull(who), repo,
                                   model::Digest::of(subject), type, after);
           })
        .value();
  }

  /// Every statement finds its rows by an index, one of them by this one, and none sorts.
  void expect_bounded(const std::string& index,
                      const std::function<void(db::ReadSession&)>& statements) {
    const std::string plans =
        db::testing::plans_of(bench.database, [&](db::ReadSession& session) -> Result<void> {
          statements(session);
          return {};
        });
    EXPECT_EQ(db::testing::unbounded_steps(plans), "") << plans;
    EXPECT_NE(plans.find(index), std::string::npos) << plans;
  }

  RegistryBench bench;
  ProjectId project;
  auth::Principal who;
  model::RepositoryName repo = repository("p/app");
};

TEST_F(ListingTest, TagsInByteOrderPageByPage) {
  bench.try_manifest("p/app", "v1.9", manifest("one"), {"v1.10", "latest", "Zed", "_x", "9"})
      .value();
  EXPECT_EQ(tags(100).names, (Names{"9", "Zed", "_x", "latest", "v1.10", "v1.9"}));
  EXPECT_FALSE(tags(6).more);
  const NamePage first = tags(4);
  EXPECT_EQ(first.names, (Names{"9", "Zed", "_x", "latest"}));
  EXPECT_TRUE(first.more);
  EXPECT_EQ(tags(4, "latest").names, (Names{"v1.10", "v1.9"}));
  EXPECT_EQ(tags(4, "k").names.front(), "latest");
  EXPECT_TRUE(tags(0).names.empty());
  EXPECT_FALSE(tags(0).more);
}

TEST_F(ListingTest, ARepositoryWithoutArtifactsIsInvisible) {
  bench.put_blob("p/app", "blob");
  const auto listed = read([&](db::ReadSession& session) {
    return list_tags(session, RegistryBench::pull(who), repo, 10, {});
  });
  EXPECT_EQ(listed.error().subject, Subject::kRepository);
  EXPECT_TRUE(catalog(10).names.empty());
  EXPECT_FALSE(read([&](db::ReadSession& session) {
                 return get_repository(session, project, "app");
               }).value());
}

TEST_F(ListingTest, TheCatalogHasOneOrderOverProjects) {
  // '-' and '.' sort before '/', so this is not the order of (project, repository).
  for (const std::string& name : Names{"a", "a-b", "a.c", "ab"}) {
    bench.add_project(name);
    bench.put_image(name + "/x", "v1", name);
    bench.put_image(name + "/x-y", "v1", name);
  }
  const Names all{"a-b/x", "a-b/x-y", "a.c/x", "a.c/x-y", "a/x", "a/x-y", "ab/x", "ab/x-y"};
  EXPECT_EQ(catalog(100).names, all);
  Names paged;
  std::string last;
  for (NamePage page = catalog(3); !page.names.empty(); page = catalog(3, last)) {
    paged.insert(paged.end(), page.names.begin(), page.names.end());
    last = paged.back();
    EXPECT_EQ(page.more, paged.size() < all.size());
  }
  EXPECT_EQ(paged, all);
}

TEST_F(ListingTest, ReferrersByFilterAndPage) {
  const std::string subject = manifest("subject");
  bench.put_manifest("p/app", "v1", subject);
  for (int i = 0; i < 150; ++i) {
    const std::string type = i % 3 == 0 ? "application/vnd.a" : "application/vnd.b";
    bench.put_manifest(
        "p/app", "",
        manifest(std::to_string(i), subject_json(subject) + ",\"artifactType\":\"" + type + "\""));
  }
  const ReferrerPage first = referrers(subject);
  EXPECT_EQ(first.referrers.size(), 100U);
  EXPECT_EQ(first.total, 150);
  ASSERT_TRUE(first.next);
  const ReferrerPage second = referrers(subject, {}, *first.next);
  EXPECT_EQ(second.referrers.size(), 50U);
  EXPECT_FALSE(second.next);
  const ReferrerPage filtered = referrers(subject, "application/vnd.a");
  EXPECT_EQ(filtered.referrers.size(), 50U);
  EXPECT_FALSE(filtered.next);
  EXPECT_EQ(filtered.referrers.front().annotations, R"({"note":"0"})");
  EXPECT_TRUE(referrers("nobody").referrers.empty());
}

TEST_F(ListingTest, ArtifactsWithoutThePartsOfOthers) {
  const std::string child = manifest("child");
  bench.put_manifest("p/app", "", child);
  bench.clock.advance(std::chrono::seconds(1));
  const auto index = bench.put_manifest("p/app", "multi", index_json({manifest_part(child)}));
  bench.put_manifest("p/app", "", manifest("attached", subject_json(child)));
  bench.clock.advance(std::chrono::seconds(1));
  const auto lonely = bench.put_manifest("p/app", "", manifest("lonely"));
  const auto list = [&](const auth::ListQuery& query) {
    return read([&](db::ReadSession& session) {
             return list_artifacts(session, bench.repository_id("p/app"), query);
           })
        .value();
  };
  const auto shown = list({});
  ASSERT_EQ(shown.total, 2);
  EXPECT_EQ(shown.items[0].digest, lonely.to_string());  // Newest first.
  EXPECT_EQ(shown.items[1].digest, index.to_string());
  ASSERT_EQ(shown.items[1].children.size(), 1U);
  EXPECT_EQ(shown.items[1].children[0].digest, manifest_part(child).digest);
  ASSERT_EQ(shown.items[1].tags.size(), 1U);
  EXPECT_EQ(shown.items[1].tags[0].name, "multi");

  auth::ListQuery query;
  query.filters = {{auth::Filter::Kind::kExact, "tags", {"nil"}}};
  EXPECT_EQ(list(query).total, 1);
  query.filters = {{auth::Filter::Kind::kFuzzy, "tags", {"ULT"}}};
  EXPECT_EQ(list(query).total, 1);
  query.filters = {{auth::Filter::Kind::kExact, "tags", {"*"}}};
  EXPECT_EQ(list(query).items.at(0).digest, index.to_string());
  query.filters = {{auth::Filter::Kind::kExact, "base", {"*"}}};
  EXPECT_EQ(list(query).total, 4);
  query.filters.clear();
  query.page_size = 1;
  query.page = 2;
  EXPECT_EQ(list(query).items.at(0).digest, index.to_string());
}

TEST_F(ListingTest, RepositoriesOfWhatOneMayList) {
  const ProjectId open_project = bench.add_project("open", true);
  bench.put_image("p/one", "v1", "a");
  bench.put_image("open/two", "v1", "b");
  const auto stranger = bench.person(bench.add_user("stranger"));
  const auto count = [&](const auth::Principal& principal, bool sysadmin) {
    return read([&](db::ReadSession& session) {
             return list_all_repositories(session, principal, sysadmin, {});
           })
        .value()
        .total;
  };
  EXPECT_EQ(count(stranger, false), 1);
  EXPECT_EQ(count(who, true), 2);
  bench.add_member(project, stranger.user, auth::Role::kLimitedGuest);
  EXPECT_EQ(count(stranger, false), 2);
  const auto page = read([&](db::ReadSession& session) {
                      return list_repositories(session, open_project, {});
                    }).value();
  ASSERT_EQ(page.total, 1);
  EXPECT_EQ(page.items[0].name, "open/two");
  EXPECT_EQ(page.items[0].artifact_count, 1);
}

TEST_F(ListingTest, GetAnArtifactByTagOrDigest) {
  const auto digest = bench.put_manifest("p/app", "v1", manifest("one"));
  const auto get = [&](const std::string& text) {
    return read([&](db::ReadSession& session) {
             return get_artifact(session, bench.repository_id("p/app"),
                                 model::parse_reference(text).value());
           })
        .value();
  };
  ASSERT_TRUE(get("v1"));
  EXPECT_EQ(get("v1")->digest, digest.to_string());
  EXPECT_EQ(get(digest.to_string())->annotations, R"({"note":"one"})");
  EXPECT_FALSE(get("v2"));
}

TEST_F(ListingTest, ArtifactsPageByPageInBothDirections) {
  for (int i = 0; i < 25; ++i) {
    bench.put_manifest("p/app", "", manifest(std::to_string(i)));
    // Some have the same time.
    bench.clock.advance(std::chrono::seconds(i % 3));
  }
  const auto ids = [&](std::int64_t number, const std::string& sort) {
    const auth::ListQuery query{
        .filters = {}, .sort = sorted_by(sort), .page = number, .page_size = 10};
    const auto page = read([&](db::ReadSession& session) {
                        return list_artifacts(session, bench.repository_id("p/app"), query);
                      }).value();
    EXPECT_EQ(page.total, 25);
    std::vector<std::int64_t> found;
    for (const ArtifactRow& row : page.items) {
      found.push_back(row.id.value);
    }
    return found;
  };
  EXPECT_EQ(ids(1, ""), (std::vector<std::int64_t>{25, 24, 23, 22, 21, 20, 19, 18, 17, 16}));
  EXPECT_EQ(ids(2, ""), (std::vector<std::int64_t>{15, 14, 13, 12, 11, 10, 9, 8, 7, 6}));
  EXPECT_EQ(ids(3, ""), (std::vector<std::int64_t>{5, 4, 3, 2, 1}));
  EXPECT_EQ(ids(3, "push_time"), (std::vector<std::int64_t>{21, 22, 23, 24, 25}));
  EXPECT_EQ(ids(2, "digest").size(), 10U) << "another order works too";
  EXPECT_TRUE(ids(4, "").empty());
}

TEST_F(ListingTest, RepositoriesPageByPage) {
  for (int i = 0; i < 12; ++i) {
    bench.put_image("p/r" + std::to_string(i), "v1", "x");
  }
  const auto names = [&](std::int64_t number, bool everywhere,
                         const std::vector<auth::SortKey>& sort = {}) {
    const auth::ListQuery query{.filters = {}, .sort = sort, .page = number, .page_size = 5};
    const auto page = read([&](db::ReadSession& session) {
                        return everywhere ? list_all_repositories(session, who, true, query)
                                          : list_repositories(session, project, query);
                      }).value();
    EXPECT_EQ(page.total, 12);
    Names found;
    for (const RepositoryRow& row : page.items) {
      found.push_back(row.name);
    }
    return found;
  };
  for (const bool everywhere : {true, false}) {
    EXPECT_EQ(names(2, everywhere), (Names{"p/r6", "p/r5", "p/r4", "p/r3", "p/r2"}));
    EXPECT_EQ(names(3, everywhere), (Names{"p/r1", "p/r0"}));
    EXPECT_EQ(names(1, everywhere, {{"name", false}}),
              (Names{"p/r0", "p/r1", "p/r10", "p/r11", "p/r2"}));
    EXPECT_EQ(names(3, everywhere, {{"name", true}}), (Names{"p/r1", "p/r0"}));
  }
  ASSERT_TRUE(delete_repository(bench.database.get(), bench.options, RegistryBench::remove(who),
                                repository("p/r11")));
  const auto left =
      read([&](db::ReadSession& session) { return count_repositories(session, project); }).value();
  EXPECT_EQ(left, 11);
  for (const std::string_view list : {"repository", "repository_name", "project_repository_name"}) {
    EXPECT_EQ(bench.number("SELECT SUM(entries) FROM list_bucket WHERE list = ?", {list}), 11);
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM list_bucket WHERE list = 'artifact'"), 11);
}

TEST_F(ListingTest, APageOfACountedListReadsNoRowsBesideItsOwn) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  for (int i = 0; i < 5; ++i) {
    bench.put_image("p/r" + std::to_string(i), "v1", "x");
    bench.put_manifest("p/app", "t" + std::to_string(i), manifest(std::to_string(i)));
  }
  const auto artifacts = [&](db::ReadSession& session, const auth::ListQuery& query) {
    return list_artifacts(session, bench.repository_id("p/app"), query).has_value();
  };
  const auto repositories = [&](db::ReadSession& session, const auth::ListQuery& query) {
    return list_repositories(session, project, query).has_value();
  };
  const auto everywhere = [&](db::ReadSession& session, const auth::ListQuery& query) {
    return list_all_repositories(session, who, true, query).has_value();
  };
  struct List {
    std::string index;
    std::string sort;
    std::function<bool(db::ReadSession&, const auth::ListQuery&)> read;
  };
  const std::vector<List> lists{
      {"artifact_listed (repository_id=? AND listed=? AND push_time", "", artifacts},
      {"artifact_listed (repository_id=? AND listed=? AND push_time", "push_time", artifacts},
      {"repository_listed_in (project_id=? AND listed=? AND creation_time", "", repositories},
      {"repository_listed_name_in (project_id=? AND listed=? AND name", "name", repositories},
      {"repository_listed (listed=? AND creation_time", "", everywhere},
      {"repository_listed (listed=? AND creation_time", "creation_time", everywhere},
      {"repository_listed_name (listed=? AND full_name", "name", everywhere}};
  for (const List& list : lists) {
    for (const std::int64_t number : {1, 2, 5}) {
      const auth::ListQuery query{
          .filters = {}, .sort = sorted_by(list.sort), .page = number, .page_size = 1};
      expect_bounded(list.index, [&](db::ReadSession& session) {
        EXPECT_TRUE(list.read(session, query)) << list.index;
      });
    }
  }
}

TEST_F(ListingTest, TagsAndCatalogReadNoRowsBesideTheirOwn) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  bench.put_manifest("p/app", "t1", manifest("1"));
  expect_bounded("tag_name (repository_id=? AND name>?)", [&](db::ReadSession& session) {
    EXPECT_TRUE(list_tags(session, RegistryBench::pull(who), repo, 100, "t"));
  });
  expect_bounded("tag_name (repository_id=? AND name=?)", [&](db::ReadSession& session) {
    EXPECT_TRUE(find_manifest(session, RegistryBench::pull(who), repo, testing::tag("t1"), {}));
  });
  expect_bounded("repository_listed_name (listed=? AND full_name>?)",
                 [&](db::ReadSession& session) { EXPECT_TRUE(list_catalog(session, 100, "p/a")); });
}

TEST_F(ListingTest, HotListsAreBoundByTheirKeys) {
  if (!bench.database.embedded()) {
    GTEST_SKIP() << "a plan of SQLite";
  }
  const auto plan = [&](std::string_view sql) { return bench.database.explain(sql); };
  const std::string referrers_plan = plan(
      "SELECT a.id, a.artifact_type, f.media_type, a.digest, f.size, a.annotations FROM artifact a "
      "JOIN manifest f ON f.id = a.manifest_id WHERE a.repository_id = ? AND a.subject_digest = ? "
      "AND a.id > ? ORDER BY a.id LIMIT ?");
  EXPECT_NE(referrers_plan.find("artifact_subject (repository_id=? AND subject_digest=? AND id>?)"),
            std::string::npos)
      << referrers_plan;
  EXPECT_EQ(referrers_plan.find("TEMP B-TREE"), std::string::npos) << referrers_plan;
  const std::string quota_plan = plan(
      "SELECT 1 FROM repository_blob rb WHERE rb.project_id = ? AND rb.blob_id = ? AND "
      "(rb.leased_until > ? OR EXISTS (SELECT 1 FROM artifact_blob ab WHERE ab.repository_id "
      "= rb.repository_id AND ab.blob_id = rb.blob_id)) LIMIT 1");
  EXPECT_NE(quota_plan.find("repository_blob_holders (blob_id=? AND project_id=?)"),
            std::string::npos)
      << quota_plan;
  EXPECT_EQ(quota_plan.find("SCAN"), std::string::npos) << quota_plan;
}

}  // namespace
}  // namespace roadstead::registry
