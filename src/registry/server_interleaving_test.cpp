// Operations of several replicas on one database server, in every order of their statements that
// takes the turn from one of them at most twice, those with fewer such changes first, as far as
// there is time for them (ROADSTEAD_TEST_SECONDS for each history, in an order that
// ROADSTEAD_TEST_SEED decides). The real functions run, each replica in a thread of its own on
// connections of its own; who waits for a lock is passed over, and whom the server tells to begin
// again does. After each schedule everything that must hold is looked at, and again when all is
// collected.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "db/testing/turns.h"
#include "registry/collect.h"
#include "registry/testing/invariants.h"
#include "registry/testing/registry_bench.h"
#include "registry/testing/replica.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::RegistryBench;
using testing::Replica;
using testing::unreadable;

const std::string kConfig = R"({"architecture":"amd64"})";
/// Large enough to lie in the store.
const std::string kLayer(20'000, 'l');

std::string image(std::string_view note = "one") {
  return image_json(config_part(kConfig), {layer_part(kLayer)},
                    fmt::format(R"(,"annotations":{{"note":"{}"}})", note));
}

/// What one replica does.
struct Act {
  std::string name;
  std::function<Result<void>(Replica&)> run;
  /// What a client may be told instead of success, because others were faster.
  std::set<Code> refusals = {};
};

/// What several replicas do at once, from the same rows each time.
struct History {
  std::function<void(RegistryBench&)> prepare;
  std::vector<Act> acts;
  /// Says what is wrong with what the acts came to.
  std::function<std::string(RegistryBench&, const std::vector<Result<void>>&)> expect =
      [](RegistryBench&, const std::vector<Result<void>>&) { return std::string(); };
};

class World {
 public:
  World() : turns_([this] { return bench_.database.waiting(); }), beginning_(bench_.clock.now()) {
    for (const char* const name : {"p", "q"}) {
      bench_.set_quota(bench_.add_project(name), -1);
    }
    bench_.options.grace = std::chrono::seconds{0};
    bench_.options.lease_override = std::chrono::seconds{1};
    bench_.options.shared_database = true;
  }

  /// Statements that begin so lock nothing; empty: all do.
  std::string unlocked;

  /// Plays one schedule; what came of it that must not.
  std::string play(const History& history, const std::vector<std::size_t>& choices,
                   db::testing::Turns::Play& play) {
    rewind();
    history.prepare(bench_);
    std::vector<std::unique_ptr<Replica>> replicas;
    std::vector<Result<void>> outcomes(history.acts.size());
    std::vector<db::testing::Turns::Actor> actors;
    for (std::size_t i = 0; i < history.acts.size(); ++i) {
      replicas.push_back(std::make_unique<Replica>(bench_, Replica::Place{turns_, i, unlocked}));
      actors.push_back(
          {history.acts[i].name, [&, i] { outcomes[i] = history.acts[i].run(*replicas[i]); }});
    }
    play = turns_.play(actors, choices);
    return judge(history, outcomes);
  }

 private:
  /// In an order in which rows may go.
  static constexpr std::array<std::string_view, 21> kTables{
      "artifact_blob", "artifact_child",  "tag",          "tag_history",     "artifact_trash",
      "untagged",      "review",          "deleting",     "upload",          "project_blob",
      "quota_delta",   "repository_blob", "artifact",     "manifest",        "blob_content",
      "blob",          "list_bucket",     "event_outbox", "collection_hold", "quota_slice",
      "repository"};

  void rewind() {
    const auto empty = [&](db::WriteSession& session) -> Result<void> {
      for (const std::string_view table : kTables) {
        TRY(session.execute(fmt::format("DELETE FROM {}", table), {}));
      }
      TRY(session.execute("UPDATE quota SET used = 0, hard_limit = -1, warned = 0", {}));
      return {};
    };
    CHECK(bench_.database->write(empty).has_value());
    bench_.clock.advance(beginning_ - bench_.clock.now());
    bench_.store = storage::make_memory_store({.shared = true, .own_locations = true});
    bench_.uploads = std::make_unique<Uploads>(bench_.database.get(), *bench_.store, bench_.locks,
                                               bench_.options);
  }

  std::string judge(const History& history, const std::vector<Result<void>>& outcomes) {
    std::string wrong;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i] && !history.acts[i].refusals.contains(outcomes[i].error().code)) {
        wrong += fmt::format("{}: {}\n", history.acts[i].name, describe(outcomes[i].error()));
      }
    }
    wrong += history.expect(bench_, outcomes);
    wrong += testing::broken_invariants(bench_);
    if (wrong.empty()) {
      wrong += testing::collect_all(bench_);
      wrong += testing::broken_invariants(bench_);
      wrong += testing::leftovers(bench_);
    }
    return wrong;
  }

  RegistryBench bench_;
  db::testing::Turns turns_;
  Time beginning_;
};

int number_in(const char* variable, int otherwise) {
  const char* const text = std::getenv(variable);
  const auto number = parse_int64(text == nullptr ? "" : text);
  return number ? static_cast<int>(std::max<std::int64_t>(1, *number)) : otherwise;
}

/// What is wrong with the first schedule that has something wrong.
std::string find_defect(World& world, const History& history, std::chrono::milliseconds time) {
  db::testing::Search how;
  how.time = time;
  how.seed = static_cast<unsigned>(number_in("ROADSTEAD_TEST_SEED", 1));
  std::string defect;
  const auto run = [&](const std::vector<std::size_t>& choices) {
    db::testing::Turns::Play play;
    const std::string wrong = world.play(history, choices, play);
    if (!wrong.empty()) {
      defect = play.story + wrong;
      return std::optional<db::testing::Turns::Play>();
    }
    return std::optional(std::move(play));
  };
  const auto searched = db::testing::search(how, run);
  // For whoever reads the output of a run: how much of the space it has seen.
  std::fputs(fmt::format("    schedules by interruptions: {} run, {} left; {} steps, {} waits\n",
                         fmt::join(searched.schedules, " + "), fmt::join(searched.left, " + "),
                         searched.steps, searched.waits)
                 .c_str(),
             stdout);
  return defect;
}

class ServerInterleaving : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const engine = std::getenv("ROADSTEAD_TEST_DATABASE");
    engine_ = engine == nullptr ? "" : engine;
    if (engine_.empty() || engine_ == "sqlite") {
      GTEST_SKIP() << "transactions of the embedded engine follow each other";
    }
  }
  static void TearDownTestSuite() { world_.reset(); }

  static void explore(const History& history) {
    const int seconds = number_in("ROADSTEAD_TEST_SECONDS", 0);
    const std::string defect =
        find_defect(world({}), history, std::max(kTime, std::chrono::milliseconds{1000 * seconds}));
    EXPECT_TRUE(defect.empty()) << defect;
  }
  /// It is noticed when the statements that begin so lock nothing.
  static void expect_noticed(const std::string& unlocked, const History& history) {
    EXPECT_NE(find_defect(world(unlocked), history, kTimeToNotice), "")
        << "nothing goes wrong without the lock of, or nothing runs that begins with:\n"
        << unlocked;
  }

  std::string engine_;

 private:
  static constexpr std::chrono::milliseconds kTime{1500};
  /// It ends with the first schedule that shows it.
  static constexpr std::chrono::seconds kTimeToNotice{60};

  /// One for all histories: emptying a whole database takes longer than a schedule.
  static World& world(const std::string& unlocked) {
    if (world_ == nullptr) {
      world_ = std::make_unique<World>();
    }
    world_->unlocked = unlocked;
    return *world_;
  }
  static inline std::unique_ptr<World> world_;
};

/// Where the blobs are and no manifest.
void prepare_blobs(RegistryBench& bench, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    bench.put_blob(name, kConfig);
    bench.put_blob(name, kLayer);
  }
}

/// Where leases are over.
void prepare_images(RegistryBench& bench, const std::vector<std::string>& names) {
  prepare_blobs(bench, names);
  for (const std::string& name : names) {
    bench.put_manifest(name, "v1", image());
  }
  bench.clock.advance(std::chrono::seconds{2});
}

/// From p/a.
void delete_image(RegistryBench& bench) {
  const auto principal = bench.person(bench.admin);
  CHECK(delete_manifest(bench.database.get(), bench.options, RegistryBench::remove(principal),
                        testing::repository("p/a"), model::Digest::of(image()))
            .has_value());
}

void collect_once(RegistryBench& bench) {
  CHECK(review_due(bench.database.get(), bench.options, {.count = 100}).has_value());
}

Act remover(const std::string& name) {
  return {"remove " + name,
          [=](Replica& replica) { return replica.remove_manifest(name, image()); }};
}

Act collector(std::size_t count = 50, int rounds = 2) {
  return {"collect", [=](Replica& replica) -> Result<void> {
            for (int i = 0; i < rounds; ++i) {
              TRY(replica.review(count));
            }
            return replica.empty_store();
          }};
}

Act pusher(const std::string& name, const std::string& tag, const std::string& manifest,
           std::set<Code> refusals = {}) {
  return {"push " + name + ":" + tag,
          [=](Replica& replica) { return replica.push(name, tag, manifest); }, std::move(refusals)};
}

/// What was pushed with success is there.
auto expect_pushed(std::size_t act, const std::string& name, const std::string& manifest) {
  return [=](RegistryBench& bench, const std::vector<Result<void>>& outcomes) {
    return outcomes[act] ? unreadable(bench, name, manifest) : std::string();
  };
}

History last_holders(const std::string& one, const std::string& other) {
  return {[=](RegistryBench& bench) { prepare_images(bench, {one, other}); },
          {remover(one), remover(other)},
          [](RegistryBench& bench, const std::vector<Result<void>>&) {
            const std::int64_t counted = bench.number("SELECT COUNT(*) FROM project_blob");
            return counted == 0 ? std::string() : "blobs of nothing are counted\n";
          }};
}

TEST_F(ServerInterleaving, TheLastHoldersOfABlobGoInOneProject) {
  explore(last_holders("p/a", "p/b"));
}

TEST_F(ServerInterleaving, TheLastHoldersOfABlobGoInTwoProjects) {
  explore(last_holders("p/a", "q/a"));
}

TEST_F(ServerInterleaving, TheLastHoldersOfABlobGoWhileTheCollectorLooks) {
  History history = last_holders("p/a", "p/b");
  history.acts.push_back(collector());
  explore(history);
}

/// Two collectors whose pages begin with different questions.
History last_holds_reviewed() {
  const auto review = [](const std::string& name) {
    return Act{"review " + name,
               [=](Replica& replica) { return replica.review_hold(name, kLayer); }};
  };
  return {[](RegistryBench& bench) {
            bench.put_blob("p/a", kLayer);
            bench.put_blob("q/a", kLayer);
            bench.clock.advance(std::chrono::seconds{2});
            collect_once(bench);
          },
          {review("p/a"), review("q/a")}};
}

TEST_F(ServerInterleaving, TheLastHoldsOfABlobAreReviewedAtOnce) {
  explore(last_holds_reviewed());
}

TEST_F(ServerInterleaving, TheLastHoldsOfARepositoryAreReviewedAtOnce) {
  const auto review = [](const std::string& content) {
    return Act{"review", [=](Replica& replica) { return replica.review_hold("p/a", content); }};
  };
  explore({[](RegistryBench& bench) {
             prepare_blobs(bench, {"p/a"});
             bench.clock.advance(std::chrono::seconds{2});
             collect_once(bench);
           },
           {review(kConfig), review(kLayer)}});
}

TEST_F(ServerInterleaving, TwoCollectorsAnswerTheSameQuestions) {
  explore({[](RegistryBench& bench) {
             prepare_images(bench, {"p/a", "q/a"});
             delete_image(bench);
           },
           {collector(1), collector(50)}});
}

History child_and_index() {
  const std::string child = image();
  return {[=](RegistryBench& bench) {
            prepare_blobs(bench, {"p/a"});
            bench.put_manifest("p/a", "", child);
            bench.put_manifest("p/a", "index", index_json({manifest_part(child)}));
            bench.clock.advance(std::chrono::seconds{2});
          },
          {{"remove index", [=](Replica& replica) {
              return replica.remove_manifest("p/a", index_json({manifest_part(child)}));
            }}}};
}

TEST_F(ServerInterleaving, AnIndexGoesWhileItsChildIsTagged) {
  History history = child_and_index();
  // The child went with its index, and its blobs are held until they are reviewed.
  history.acts.push_back(pusher("p/a", "v1", image()));
  history.expect = expect_pushed(1, "p/a", image());
  explore(history);
}

TEST_F(ServerInterleaving, AnIndexGoesWhileAnotherGetsItsChild) {
  History history = child_and_index();
  const std::string other = index_json({manifest_part(image())}, R"(,"annotations":{"a":"b"})");
  history.acts.push_back(pusher("p/a", "other", other, {Code::kInvalid}));
  history.expect = [=](RegistryBench& bench, const std::vector<Result<void>>& outcomes) {
    return outcomes[1] ? unreadable(bench, "p/a", other) + unreadable(bench, "p/a", image())
                       : std::string();
  };
  explore(history);
}

TEST_F(ServerInterleaving, AReferrerComesWhileItsSubjectGoes) {
  const std::string referrer =
      image_json(config_part(kConfig), {layer_part(kLayer)}, testing::subject_json(image()));
  explore({[](RegistryBench& bench) { prepare_images(bench, {"p/a"}); },
           {remover("p/a"), pusher("p/a", "", referrer, {Code::kInvalid}), collector()}});
}

/// Mounts both blobs, or uploads them, and pushes an image of them.
Act mounter() {
  return {"mount p/b", [](Replica& replica) -> Result<void> {
            for (const std::string& content : {kConfig, kLayer}) {
              if (!replica.mount("p/b", content, "p/a")) {
                TRY(replica.upload("p/b", content));
              }
            }
            return replica.push("p/b", "v1", image());
          }};
}

TEST_F(ServerInterleaving, AMountWhileTheLastHolderIsCollected) {
  explore({[](RegistryBench& bench) {
             prepare_images(bench, {"p/a"});
             delete_image(bench);
             collect_once(bench);
           },
           {mounter(), collector()},
           expect_pushed(0, "p/b", image())});
}

TEST_F(ServerInterleaving, AMountWhileTheLastHolderIsRemovedByHand) {
  explore({[](RegistryBench& bench) { prepare_blobs(bench, {"p/a"}); },
           {mounter(),
            {"remove blob",
             [](Replica& replica) -> Result<void> {
               TRY(replica.remove_blob("p/a", kLayer));
               return replica.review(50);
             }}},
           expect_pushed(0, "p/b", image())});
}

/// A push of blobs that nothing has kept for long: the collector was there `before` times already
/// and comes `rounds` times now.
History push_of_dead(int before, int rounds = 2) {
  return {[=](RegistryBench& bench) {
            prepare_blobs(bench, {"p/a"});
            bench.clock.advance(std::chrono::seconds{2});
            for (int i = 0; i < before; ++i) {
              collect_once(bench);
            }
          },
          {pusher("p/a", "v1", image(), {Code::kInvalid}), collector(50, rounds)},
          expect_pushed(0, "p/a", image())};
}

TEST_F(ServerInterleaving, APushOfWhatIsCondemned) {
  explore(push_of_dead(0));
}

TEST_F(ServerInterleaving, APushOfWhatIsRemoved) {
  explore(push_of_dead(1));
}

TEST_F(ServerInterleaving, APushOfABlobThatIsRemovedByHand) {
  explore({[](RegistryBench& bench) { prepare_blobs(bench, {"p/a"}); },
           {pusher("p/a", "v1", image(), {Code::kInvalid}),
            {"remove blob",
             [](Replica& replica) { return replica.remove_blob("p/a", kLayer); },
             {Code::kUnsupported}}},
           expect_pushed(0, "p/a", image())});
}

History two_uploads(const std::string& one, const std::string& other) {
  const auto upload = [](const std::string& name) {
    return Act{"upload " + name, [=](Replica& replica) { return replica.upload(name, kLayer); }};
  };
  return {[](RegistryBench&) {},
          {upload(one), upload(other)},
          [=](RegistryBench& bench, const std::vector<Result<void>>&) {
            std::string missing;
            for (const std::string& name : {one, other}) {
              if (!testing::blob_readable(bench, name, model::Digest::of(kLayer))) {
                missing += "no blob in " + name + "\n";
              }
            }
            return missing;
          }};
}

TEST_F(ServerInterleaving, TwoUploadsOfANewBlobIntoOneRepository) {
  explore(two_uploads("p/a", "p/a"));
}

TEST_F(ServerInterleaving, TwoUploadsOfANewBlobIntoTwoRepositories) {
  explore(two_uploads("p/a", "p/b"));
}

TEST_F(ServerInterleaving, OneManifestComesIntoTwoRepositoriesOfAProject) {
  explore({[](RegistryBench& bench) { prepare_blobs(bench, {"p/a", "p/b"}); },
           {pusher("p/a", "v1", image()), pusher("p/b", "v1", image())},
           expect_pushed(0, "p/a", image())});
}

/// An index, as it has no blobs whose locks would do.
History manifest_comes_and_goes() {
  const std::string index = index_json({manifest_part(image())});
  return {[=](RegistryBench& bench) {
            prepare_images(bench, {"p/a", "p/b"});
            bench.put_manifest("p/a", "index", index);
          },
          {{"remove", [=](Replica& replica) { return replica.remove_manifest("p/a", index); }},
           pusher("p/b", "index", index)},
          expect_pushed(1, "p/b", index)};
}

TEST_F(ServerInterleaving, OneManifestComesIntoARepositoryAndGoesFromAnother) {
  explore(manifest_comes_and_goes());
}

TEST_F(ServerInterleaving, ATagIsMovedTwice) {
  explore({[](RegistryBench& bench) { prepare_images(bench, {"p/a"}); },
           {pusher("p/a", "v1", image("two")), pusher("p/a", "v1", image("three"))},
           [](RegistryBench& bench, const std::vector<Result<void>>&) {
             return unreadable(bench, "p/a", image()) + unreadable(bench, "p/a", image("two")) +
                    unreadable(bench, "p/a", image("three"));
           }});
}

TEST_F(ServerInterleaving, ATagIsMovedWhileItIsDeleted) {
  explore({[](RegistryBench& bench) { prepare_images(bench, {"p/a"}); },
           {pusher("p/a", "v1", image("two")),
            {"untag", [](Replica& replica) { return replica.remove_tag("p/a", "v1"); }}},
           expect_pushed(0, "p/a", image("two"))});
}

TEST_F(ServerInterleaving, ARepositoryGoesWhileItIsPushedTo) {
  explore(
      {[](RegistryBench& bench) { prepare_images(bench, {"p/a"}); },
       {{"remove repository", [](Replica& replica) { return replica.remove_repository("p/a"); }},
        pusher("p/a", "v2", image("two"), {Code::kInvalid, Code::kNotFound})}});
}

TEST_F(ServerInterleaving, ARepositoryGoesWhileABlobIsUploadedToIt) {
  explore(
      {[](RegistryBench& bench) { prepare_images(bench, {"p/a"}); },
       {{"remove repository", [](Replica& replica) { return replica.remove_repository("p/a"); }},
        {"upload", [](Replica& replica) { return replica.upload("p/a", kConfig + " "); }}}});
}

History untagged_is_tagged() {
  return {[](RegistryBench& bench) {
            prepare_blobs(bench, {"p/a"});
            bench.put_manifest("p/a", "", image());
            bench.clock.advance(std::chrono::seconds{2});
            collect_once(bench);
          },
          {pusher("p/a", "v1", image()),
           {"condemn",
            [](Replica& replica) -> Result<void> {
              TRY(replica.condemn_untagged());
              return replica.review(50);
            }}},
          expect_pushed(0, "p/a", image())};
}

TEST_F(ServerInterleaving, AnUntaggedArtifactIsTaggedWhileItIsCondemned) {
  explore(untagged_is_tagged());
}

TEST_F(ServerInterleaving, ADeletedArtifactIsRestoredWhileItIsForgotten) {
  explore({[](RegistryBench& bench) {
             prepare_images(bench, {"p/a"});
             delete_image(bench);
           },
           {{"restore",
             [](Replica& replica) { return replica.restore("p/a", image()); },
             {Code::kNotFound, Code::kPrecondition}},
            {"forget",
             [](Replica& replica) -> Result<void> {
               TRY(replica.forget_trash());
               return replica.review(50);
             }}},
           expect_pushed(0, "p/a", image())});
}

History ledger_folded() {
  const Act folder{"fold", [](Replica& replica) { return replica.fold_quota(); }};
  return {[](RegistryBench& bench) { prepare_blobs(bench, {"p/a", "q/a"}); }, {folder, folder}};
}

TEST_F(ServerInterleaving, TheLedgerIsFoldedTwiceWhileItGrows) {
  History history = ledger_folded();
  history.acts.push_back(pusher("p/a", "v1", image()));
  explore(history);
}

History project_filled() {
  const auto upload = [](const std::string& name) {
    return Act{"upload " + name,
               [=](Replica& replica) { return replica.upload(name, kLayer + name); },
               {Code::kDenied}};
  };
  constexpr std::int64_t kRoom = 30'000;
  const auto project_of = [](RegistryBench& bench) {
    return ProjectId{bench.number("SELECT id FROM project WHERE name = 'p'")};
  };
  return {[=](RegistryBench& bench) { bench.set_quota(project_of(bench), kRoom); },
          {upload("p/a"), upload("p/b")},
          [=](RegistryBench& bench, const std::vector<Result<void>>& outcomes) {
            const bool fits = bench.used(project_of(bench)) <= kRoom;
            return std::string(fits ? "" : "the limit is exceeded\n") +
                   (outcomes[0] || outcomes[1] ? "" : "both were refused\n");
          }};
}

TEST_F(ServerInterleaving, TwoUploadsIntoAProjectThatIsAlmostFull) {
  explore(project_filled());
}

TEST_F(ServerInterleaving, AMissingLockIsNoticed) {
  if (engine_ == "postgresql") {  // On MariaDB no schedule of this history needs it.
    expect_noticed("SELECT 1 FROM blob WHERE id = ? FOR UPDATE", last_holds_reviewed());
  }
  expect_noticed("SELECT 1 FROM project_blob WHERE project_id = ? AND blob_id = ? FOR UPDATE",
                 last_holders("p/a", "p/b"));
  expect_noticed("SELECT 1 FROM repository_blob WHERE repository_id = ? AND blob_id = ? FOR",
                 push_of_dead(0, 1));
  expect_noticed("SELECT id FROM repository WHERE id = ? FOR NO KEY UPDATE", untagged_is_tagged());
  expect_noticed("SELECT a.manifest_id, f.size FROM artifact a JOIN manifest f",
                 manifest_comes_and_goes());
  expect_noticed("SELECT id, project_id, bytes FROM quota_delta", ledger_folded());
}

}  // namespace
}  // namespace roadstead::registry
