// Random sequences of operations against a registry and against the simplest model of one: sets of
// names. After every operation both must answer alike, and usage must be exact.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "base/text.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "registry/remove.h"
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

/// What a manifest of the model refers to.
struct Known {
  std::string bytes;
  std::set<std::string> blobs;     ///< Contents.
  std::set<std::string> children;  ///< Digests.
  std::string subject{};           ///< Digest, or empty.
  int order = 0;                   ///< Of the first push.
};
struct ModelRepository {
  std::set<std::string> blobs;  ///< Contents it may read.
  std::map<std::string, Known> manifests;
  std::map<std::string, std::string> tags;
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed), project_(bench_.add_project("p")) {}

  void step() {
    switch (pick(8)) {
      case 0:
      case 1:
        return upload();
      case 2:
      case 3:
        return push_image();
      case 4:
        return push_index();
      case 5:
        return delete_manifest();
      case 6:
        return delete_tag();
      default:
        return delete_blob();
    }
  }

  void check() {
    for (const auto& [name, repo] : model_) {
      for (const std::string& content : kContents) {
        EXPECT_EQ(has_blob(name, content), repo.blobs.contains(content)) << name << content;
      }
      for (const std::string& text : kTags) {
        const auto found = resolve(name, model::Reference(tag(text)));
        const auto expected = repo.tags.find(text);
        EXPECT_EQ(found, expected == repo.tags.end() ? "" : expected->second) << name << text;
      }
      EXPECT_EQ(bench_.number("SELECT artifact_count FROM repository WHERE full_name = ?", {name}),
                static_cast<std::int64_t>(repo.manifests.size()));
    }
    check_lists();
    EXPECT_EQ(bench_.used(project_), expected_usage());
    EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM artifact_blob ab LEFT JOIN repository_blob rb ON "
                            "rb.repository_id = ab.repository_id AND rb.blob_id = ab.blob_id WHERE "
                            "rb.blob_id IS NULL"),
              0);
  }

 private:
  static inline const std::vector<std::string> kContents{"{}", "aa", "bbb", "cccc"};
  static inline const std::vector<std::string> kTags{"t1", "t2", "t3"};
  static inline const std::vector<std::string> kNames{"p/one", "p/two"};

  std::size_t pick(std::size_t n) { return random_() % n; }
  const std::string& any(const std::vector<std::string>& of) { return of[pick(of.size())]; }
  auth::Principal who() { return bench_.person(bench_.admin); }

  /// What is counted as listed, is marked as listed and should be listed are the same rows.
  void check_lists() {
    EXPECT_EQ(bench_.number(
                  "SELECT COUNT(*) FROM artifact a WHERE listed <> CASE WHEN (EXISTS (SELECT 1 "
                  "FROM tag t WHERE t.artifact_id = a.id) OR NOT EXISTS (SELECT 1 FROM "
                  "artifact_child c WHERE c.child_id = a.id)) AND (a.subject_digest IS NULL OR NOT "
                  "EXISTS (SELECT 1 FROM artifact s WHERE s.repository_id = a.repository_id AND "
                  "s.digest = a.subject_digest)) THEN 1 ELSE 0 END"),
              0);
    EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM repository WHERE listed <> CASE WHEN "
                            "artifact_count > 0 THEN 1 ELSE 0 END"),
              0);
    EXPECT_EQ(
        bench_.number("SELECT COUNT(*) FROM repository r WHERE (SELECT COALESCE(SUM(entries), "
                      "0) FROM list_bucket WHERE list = 'artifact' AND scope_id = r.id) <> "
                      "(SELECT COUNT(*) FROM artifact a WHERE a.repository_id = r.id AND "
                      "a.listed = 1)"),
        0);
    for (const std::string_view list :
         {"repository", "project_repository", "repository_name", "project_repository_name"}) {
      EXPECT_EQ(
          bench_.number("SELECT COALESCE(SUM(entries), 0) FROM list_bucket WHERE list = ?", {list}),
          bench_.number("SELECT COUNT(*) FROM repository WHERE listed = 1"));
    }
  }

  void upload() {
    const std::string& name = any(kNames);
    const std::string& content = any(kContents);
    bench_.put_blob(name, content);
    model_[name].blobs.insert(content);
    // An upload counts from now on, whatever became of the content before.
    counted_.insert(content);
  }

  void push_image() {
    const std::string& name = any(kNames);
    const std::string& config = any(kContents);
    const std::string& layer = any(kContents);
    Known known{image_json(config_part(config), {layer_part(layer)}), {config, layer}, {}};
    ModelRepository& repo = model_[name];
    const bool complete = repo.blobs.contains(config) && repo.blobs.contains(layer);
    push(name, std::move(known), complete);
  }

  void push_index() {
    const std::string& name = any(kNames);
    ModelRepository& repo = model_[name];
    if (repo.manifests.empty()) {
      return;
    }
    const auto child =
        std::next(repo.manifests.begin(), static_cast<std::ptrdiff_t>(pick(repo.manifests.size())));
    // Now and then attached to what it lists, so that subjects come and go as well.
    Known known{index_json({manifest_part(child->second.bytes)}), {}, {child->first}};
    if (pick(3) == 0) {
      const auto subject = std::next(repo.manifests.begin(),
                                     static_cast<std::ptrdiff_t>(pick(repo.manifests.size())));
      known.subject = subject->first;
      known.bytes = index_json({manifest_part(child->second.bytes)},
                               testing::subject_json(subject->second.bytes));
    }
    push(name, std::move(known), true);
  }

  void push(const std::string& name, Known known, bool complete) {
    const std::string text = pick(2) == 0 ? "" : any(kTags);
    const auto pushed = bench_.try_manifest(name, text, known.bytes);
    ASSERT_EQ(pushed.has_value(), complete);
    if (!complete) {
      EXPECT_EQ(pushed.error().subject, Subject::kBlob);
      return;
    }
    counted_.insert(known.blobs.begin(), known.blobs.end());
    ModelRepository& repo = model_[name];
    if (!text.empty()) {
      repo.tags[text] = pushed->digest;
    }
    const auto present = repo.manifests.find(pushed->digest);
    known.order = present == repo.manifests.end() ? ++pushes_ : present->second.order;
    repo.manifests[pushed->digest] = std::move(known);
  }

  static bool has_parent(const ModelRepository& repo, const std::string& digest) {
    return std::any_of(repo.manifests.begin(), repo.manifests.end(),
                       [&](const auto& entry) { return entry.second.children.contains(digest); });
  }

  void delete_manifest() {
    const std::string& name = any(kNames);
    ModelRepository& repo = model_[name];
    if (repo.manifests.empty()) {
      return;
    }
    const auto victim =
        std::next(repo.manifests.begin(), static_cast<std::ptrdiff_t>(pick(repo.manifests.size())));
    const auto principal = who();
    const auto removed = registry::delete_manifest(
        bench_.database.get(), bench_.options, RegistryBench::remove(principal), repository(name),
        testing::digest(victim->first));
    ASSERT_EQ(removed.has_value(), !has_parent(repo, victim->first));
    if (!removed) {
      EXPECT_EQ(removed.error().code, Code::kPrecondition);
      return;
    }
    forget(repo, std::string(victim->first));
  }

  /// What is attached to a manifest goes first, oldest first, unless a tag or an index keeps it.
  void forget(ModelRepository& repo, const std::string& digest) {
    int after = 0;
    for (auto next = next_referrer(repo, digest, after); !next.empty();
         next = next_referrer(repo, digest, after)) {
      after = repo.manifests.at(next).order;
      forget(repo, next);
    }
    const Known gone = repo.manifests.at(digest);
    std::erase_if(repo.tags, [&](const auto& entry) { return entry.second == digest; });
    repo.manifests.erase(digest);
    for (const std::string& content : gone.blobs) {
      if (!used_anywhere(content)) {
        counted_.erase(content);
      }
    }
  }

  static std::string next_referrer(const ModelRepository& repo, const std::string& subject,
                                   int after) {
    std::string next;
    for (const auto& [digest, known] : repo.manifests) {
      const bool tagged = std::any_of(repo.tags.begin(), repo.tags.end(),
                                      [&](const auto& tag) { return tag.second == digest; });
      if (known.subject == subject && known.order > after && !tagged && !has_parent(repo, digest) &&
          (next.empty() || known.order < repo.manifests.at(next).order)) {
        next = digest;
      }
    }
    return next;
  }

  void delete_tag() {
    const std::string& name = any(kNames);
    const std::string& text = any(kTags);
    const auto principal = who();
    const auto removed =
        registry::delete_tag(bench_.database.get(), bench_.options,
                             RegistryBench::remove(principal), repository(name), tag(text));
    EXPECT_EQ(removed.has_value(), model_[name].tags.erase(text) > 0);
  }

  void delete_blob() {
    const std::string& name = any(kNames);
    const std::string& content = any(kContents);
    ModelRepository& repo = model_[name];
    const auto principal = who();
    const auto removed = registry::delete_blob(bench_.database.get(), bench_.options,
                                               RegistryBench::remove(principal), repository(name),
                                               model::Digest::of(content));
    const bool needed =
        std::any_of(repo.manifests.begin(), repo.manifests.end(),
                    [&](const auto& entry) { return entry.second.blobs.contains(content); });
    ASSERT_EQ(removed.has_value(), repo.blobs.contains(content) && !needed);
    if (removed) {
      repo.blobs.erase(content);
      // All leases of the simulation are alive, so a holder elsewhere keeps it counted.
      const bool held = std::any_of(model_.begin(), model_.end(), [&](const auto& entry) {
        return entry.second.blobs.contains(content);
      });
      if (!held) {
        counted_.erase(content);
      }
    }
  }

  bool used_anywhere(const std::string& content) {
    return std::any_of(model_.begin(), model_.end(), [&](const auto& repo) {
      return std::any_of(repo.second.manifests.begin(), repo.second.manifests.end(),
                         [&](const auto& entry) { return entry.second.blobs.contains(content); });
    });
  }

  std::int64_t expected_usage() {
    std::map<std::string, std::size_t> manifests;
    for (const auto& [name, repo] : model_) {
      for (const auto& [digest, known] : repo.manifests) {
        manifests[digest] = known.bytes.size();
      }
    }
    std::size_t sum = 0;
    for (const auto& [digest, size] : manifests) {
      sum += size;
    }
    for (const std::string& content : counted_) {
      sum += content.size();
    }
    return static_cast<std::int64_t>(sum);
  }

  bool has_blob(const std::string& name, const std::string& content) {
    const auto principal = who();
    return bench_.database
        ->read([&](db::ReadSession& session) {
          return find_blob(session, RegistryBench::pull(principal), repository(name),
                           model::Digest::of(content), {true, bench_.options.grace});
        })
        .has_value();
  }

  std::string resolve(const std::string& name, const model::Reference& reference) {
    const auto principal = who();
    const auto found = bench_.database->read([&](db::ReadSession& session) {
      return find_manifest(session, RegistryBench::pull(principal), repository(name), reference,
                           {});
    });
    return found ? found->digest : "";
  }

  std::mt19937 random_;
  RegistryBench bench_;
  ProjectId project_;
  std::map<std::string, ModelRepository> model_;
  int pushes_ = 0;
  std::set<std::string> counted_;  ///< Contents that the project's usage counts.
};

TEST(RegistryModel, RandomOperationsAgreeWithTheModel) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation(seed);
    for (int i = 0; i < 150 && !::testing::Test::HasFailure(); ++i) {
      simulation.step();
      simulation.check();
    }
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace roadstead::registry
