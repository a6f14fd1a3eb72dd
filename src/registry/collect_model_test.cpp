// Random histories of pushes, mounts, deletions, passing time and single steps of the collector.
// After every operation nothing that is referred to may be missing, and nothing that is not may be
// forgotten; at the end, when all is collected, what is stored is exactly what is kept.
#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "registry/collect.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::RegistryBench;
using testing::repository;
using testing::tag;

std::set<std::string> names_of(const std::vector<Removed>& removed) {
  std::set<std::string> names;
  for (const Removed& item : removed) {
    names.insert(item.name);
  }
  return names;
}

class History {
 public:
  History(unsigned seed, std::chrono::seconds grace) : random_(seed) {
    bench_.add_project("p");
    bench_.add_project("q");
    bench_.options.grace = grace;
    bench_.options.lease_override = std::chrono::seconds{1000};
    bench_.uploads = std::make_unique<Uploads>(bench_.database.get(), *bench_.store, bench_.locks,
                                               bench_.options);
  }

  void step() {
    switch (pick(14)) {
      case 0:
      case 1:
        bench_.put_blob(any(kNames), any(kContents));
        break;
      case 2:
      case 3:
        push_image();
        break;
      case 4:
        push_index();
        break;
      case 5:
        delete_something();
        break;
      case 6:
        delete_tag();
        break;
      case 7:
        mount();
        break;
      case 8:
        delete_blob();
        break;
      case 9:
        bench_.clock.advance(std::chrono::seconds{pick(600)});
        break;
      case 10:
        rehearse_and_run();
        break;
      case 11:
        ASSERT_TRUE(condemn_untagged(bench_.database.get(), bench_.options, {}, 2).has_value());
        break;
      default:
        collect_a_little();
        break;
    }
  }

  /// Holds at every moment.
  void check() {
    EXPECT_EQ(count("SELECT COUNT(*) FROM artifact_blob ab LEFT JOIN repository_blob rb ON "
                    "rb.repository_id = ab.repository_id AND rb.blob_id = ab.blob_id WHERE "
                    "rb.blob_id IS NULL"),
              0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM repository_blob rb JOIN artifact_blob ab ON "
                    "ab.repository_id = rb.repository_id AND ab.blob_id = rb.blob_id "
                    "WHERE rb.condemned_at IS NOT NULL"),
              0)
        << "what is needed is condemned";
    check_nothing_is_forgotten();
    check_usage();
    check_bytes();
  }

  /// Everything is collected, and what is left is what is kept.
  void finish() {
    for (int i = 0; i < 6; ++i) {
      bench_.clock.advance(std::chrono::seconds{100'000});
      run();
    }
    EXPECT_EQ(count("SELECT COUNT(*) FROM repository_blob rb WHERE NOT EXISTS (SELECT 1 FROM "
                    "artifact_blob ab WHERE ab.repository_id = rb.repository_id AND ab.blob_id = "
                    "rb.blob_id)"),
              0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM blob b WHERE NOT EXISTS (SELECT 1 FROM repository_blob "
                    "rb WHERE rb.blob_id = b.id)"),
              0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM manifest f WHERE NOT EXISTS (SELECT 1 FROM artifact a "
                    "WHERE a.manifest_id = f.id)"),
              0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM repository WHERE artifact_count = 0"), 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM review"), 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM artifact_trash"), 0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM deleting"), 0);
    EXPECT_EQ(
        bench_.store->list("", 1000)->size(),
        static_cast<std::size_t>(count("SELECT COUNT(*) FROM blob WHERE location <> 'inline'")));
    EXPECT_EQ(count("SELECT COUNT(*) FROM blob_content"),
              count("SELECT COUNT(*) FROM blob WHERE location = 'inline'"));
    check();
  }

 private:
  static inline const std::vector<std::string> kContents{
      "{}", "aa", std::string(20'000, 'b'), std::string(20'000, 'c')};  // Rows and files.
  static inline const std::vector<std::string> kTags{"t1", "t2"};
  static inline const std::vector<std::string> kNames{"p/one", "p/two", "q/one"};

  std::size_t pick(std::size_t n) { return random_() % n; }
  const std::string& any(const std::vector<std::string>& of) { return of[pick(of.size())]; }
  auth::Principal who() { return bench_.person(bench_.admin); }
  std::int64_t count(std::string_view sql, std::initializer_list<db::Param> params = {}) {
    return bench_.number(sql, params);
  }

  /// A question is on its way about everything that nothing refers to.
  void check_nothing_is_forgotten() {
    EXPECT_EQ(count("SELECT COUNT(*) FROM repository_blob rb WHERE NOT EXISTS (SELECT 1 FROM "
                    "artifact_blob ab WHERE ab.repository_id = rb.repository_id AND ab.blob_id = "
                    "rb.blob_id) AND NOT EXISTS (SELECT 1 FROM review v WHERE v.kind = "
                    "'repository_blob' AND v.repository_id = rb.repository_id AND v.object_id = "
                    "rb.blob_id)"),
              0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM blob b WHERE NOT EXISTS (SELECT 1 FROM repository_blob "
                    "rb WHERE rb.blob_id = b.id) AND NOT EXISTS (SELECT 1 FROM review v WHERE "
                    "v.kind = 'blob' AND v.object_id = b.id)"),
              0);
    EXPECT_EQ(count("SELECT COUNT(*) FROM manifest f WHERE NOT EXISTS (SELECT 1 FROM artifact a "
                    "WHERE a.manifest_id = f.id) AND NOT EXISTS (SELECT 1 FROM artifact_trash t "
                    "WHERE t.manifest_id = f.id) AND NOT EXISTS (SELECT 1 FROM review v WHERE "
                    "v.kind = 'manifest' AND v.object_id = f.id)"),
              0);
  }

  void check_usage() {
    EXPECT_EQ(count("SELECT COUNT(*) FROM (SELECT DISTINCT rb.project_id, ab.blob_id FROM "
                    "artifact_blob ab JOIN repository_blob rb ON rb.repository_id = "
                    "ab.repository_id AND rb.blob_id = ab.blob_id) needed WHERE NOT EXISTS (SELECT "
                    "1 FROM project_blob pb WHERE pb.project_id = needed.project_id AND pb.blob_id "
                    "= needed.blob_id)"),
              0);
    EXPECT_EQ(count("SELECT COALESCE(SUM(used), 0) FROM quota") +
                  count("SELECT COALESCE(SUM(bytes), 0) FROM quota_delta") -
                  count("SELECT COALESCE(SUM(headroom), 0) FROM quota_slice"),
              count("SELECT COALESCE(SUM(b.size), 0) FROM project_blob pb JOIN blob b ON b.id = "
                    "pb.blob_id") +
                  count("SELECT COALESCE(SUM(size), 0) FROM (SELECT DISTINCT a.project_id, f.id, "
                        "f.size FROM artifact a JOIN manifest f ON f.id = a.manifest_id) m"));
  }

  /// What a repository may read can be read.
  void check_bytes() {
    std::vector<std::string> locations;
    const auto read = bench_.database->read([&](db::ReadSession& session) {
      return session.each("SELECT location FROM blob WHERE location <> 'inline'", {},
                          [&](const db::Row& row) {
                            locations.emplace_back(row.text(0));
                            return true;
                          });
    });
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(
        bench_.number("SELECT COUNT(*) FROM blob b WHERE b.location = 'inline' AND NOT EXISTS "
                      "(SELECT 1 FROM blob_content c WHERE c.blob_id = b.id)"),
        0);
    for (const std::string& location : locations) {
      EXPECT_TRUE(bench_.store->stat({location}).has_value()) << location;
    }
  }

  void push_image() {
    const std::string bytes = image_json(config_part(any(kContents)), {layer_part(any(kContents))});
    // May be refused: something of it is not here.
    static_cast<void>(bench_.try_manifest(any(kNames), pick(2) == 0 ? "" : any(kTags), bytes));
    pushed_.insert(bytes);
  }

  void push_index() {
    if (pushed_.empty()) {
      return;
    }
    const auto child = any_pushed();
    const auto extra = pick(2) == 0 ? std::string() : testing::subject_json(any_pushed());
    const std::string bytes = index_json({manifest_part(child)}, extra);
    const auto pushed = bench_.try_manifest(any(kNames), pick(2) == 0 ? "" : any(kTags), bytes);
    if (pushed) {
      pushed_.insert(bytes);
    }
  }
  const std::string& any_pushed() {
    return *std::next(pushed_.begin(), static_cast<std::ptrdiff_t>(pick(pushed_.size())));
  }

  void delete_something() {
    const auto principal = who();
    if (pick(6) == 0) {
      static_cast<void>(delete_repository(bench_.database.get(), bench_.options,
                                          RegistryBench::remove(principal),
                                          repository(any(kNames))));
    } else if (!pushed_.empty()) {
      static_cast<void>(delete_manifest(bench_.database.get(), bench_.options,
                                        RegistryBench::remove(principal), repository(any(kNames)),
                                        model::Digest::of(any_pushed())));
    }
  }
  void delete_tag() {
    const auto principal = who();
    static_cast<void>(registry::delete_tag(bench_.database.get(), bench_.options,
                                           RegistryBench::remove(principal),
                                           repository(any(kNames)), tag(any(kTags))));
  }
  void delete_blob() {
    const auto principal = who();
    static_cast<void>(registry::delete_blob(
        bench_.database.get(), bench_.options, RegistryBench::remove(principal),
        repository(any(kNames)), model::Digest::of(any(kContents))));
  }
  void mount() {
    const auto principal = who();
    ASSERT_TRUE(bench_.uploads
                    ->mount(RegistryBench::push(principal), repository(any(kNames)),
                            model::Digest::of(any(kContents)), std::nullopt)
                    .has_value());
  }

  void collect_a_little() {
    const auto page = review_due(bench_.database.get(), bench_.options,
                                 {.count = 1 + pick(3), .purge = pick(8) != 0});
    ASSERT_TRUE(page.has_value());
    EXPECT_EQ(page->postponed, 0U) << page->problem;
    if (pick(2) == 0) {
      ASSERT_TRUE(
          remove_from_store(bench_.database.get(), *bench_.store, bench_.locks, {1 + pick(3), 1})
              .has_value());
    }
    if (pick(4) == 0) {
      ASSERT_TRUE(forget_trash(bench_.database.get(), bench_.options, 2).has_value());
    }
  }

  std::vector<Removed> run() {
    std::vector<Removed> removed;
    review_all(removed);
    if (untagged_) {
      const auto condemned = condemn_untagged(bench_.database.get(), bench_.options, {}, 1000);
      EXPECT_TRUE(condemned.has_value());
      review_all(removed);
    }
    while (
        !remove_from_store(bench_.database.get(), *bench_.store, bench_.locks, {5, 2})->empty()) {
    }
    return removed;
  }
  void review_all(std::vector<Removed>& removed) {
    for (bool more = true; more;) {
      const auto page = review_due(bench_.database.get(), bench_.options, {.count = 7});
      ASSERT_TRUE(page.has_value());
      EXPECT_EQ(page->postponed, 0U) << page->problem;
      removed.insert(removed.end(), page->removed.begin(), page->removed.end());
      more = page->reviewed > 0 || *forget_trash(bench_.database.get(), bench_.options, 10) > 0;
    }
  }

  /// A dry run lists exactly what the run removes.
  void rehearse_and_run() {
    untagged_ = pick(2) == 0;
    const auto plan = plan_collection(bench_.database.get(), bench_.options, untagged_, 1000);
    ASSERT_TRUE(plan.has_value());
    EXPECT_TRUE(plan->complete);
    EXPECT_EQ(names_of(plan->removed), names_of(run())) << "delete_untagged " << untagged_;
    untagged_ = false;
  }

  std::mt19937 random_;
  RegistryBench bench_;
  std::set<std::string> pushed_;  ///< Manifests.
  bool untagged_ = false;
};

TEST(CollectModel, RandomHistoriesLoseNothingAndLeakNothing) {
  for (unsigned seed = 1; seed <= 16; ++seed) {
    SCOPED_TRACE(seed);
    History history(seed, std::chrono::seconds{seed % 2 == 0 ? 0 : 300});
    for (int i = 0; i < 250 && !::testing::Test::HasFailure(); ++i) {
      history.step();
      history.check();
    }
    if (!::testing::Test::HasFailure()) {
      history.finish();
    }
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace roadstead::registry
