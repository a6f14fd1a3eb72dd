// Every order in which the transactions of clients, the collector and the clock can follow each
// other, for scenarios small enough to try them all. The real functions run; each schedule is
// replayed from the same beginning, and schedules that reach a state already seen are not followed
// further.
#include <array>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "registry/collect.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::image_json;
using testing::layer_part;
using testing::RegistryBench;
using testing::repository;

/// Large enough to be stored as files.
const std::string kConfig = R"({"a":")" + std::string(20'000, 'c') + "\"}";
const std::string kLayer(20'000, 'l');

constexpr std::chrono::seconds kGrace{100};
/// Just less than half the grace period: what a client may take between a question and its push.
constexpr std::chrono::seconds kTick{49};

/// A memory store in which something can happen between the publication of a blob and the
/// transaction that names it.
class GapStore final : public storage::BlobStore {
 public:
  std::function<void()> in_the_gap = [] {};

  Result<std::uint64_t> stat(const storage::Location& location) override {
    return store_->stat(location);
  }
  Result<std::unique_ptr<storage::BlobReader>> open(const storage::Location& location) override {
    return store_->open(location);
  }
  Result<std::unique_ptr<storage::BlobWriter>> begin(model::Algorithm algorithm,
                                                     std::uint64_t size_hint) override {
    return wrap(TRY(store_->begin(algorithm, size_hint)));
  }
  Result<std::unique_ptr<storage::BlobWriter>> resume(const std::string& token) override {
    return wrap(TRY(store_->resume(token)));
  }
  Result<void> discard(const std::string& token) override { return store_->discard(token); }
  Result<void> check(const storage::Location& /*location*/) const override { return {}; }
  Result<void> unlink(const storage::Location& location) override {
    return store_->unlink(location);
  }
  Result<void> sync_removed(std::span<const storage::Location> locations) override {
    return store_->sync_removed(locations);
  }
  Result<std::vector<storage::Location>> list(const std::string& cursor,
                                              std::size_t count) override {
    return store_->list(cursor, count);
  }
  Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) override {
    return store_->stale_uploads(age);
  }
  Result<std::optional<std::uint64_t>> free_space() override { return store_->free_space(); }

 private:
  class Writer final : public storage::BlobWriter {
   public:
    Writer(std::unique_ptr<storage::BlobWriter> writer, GapStore& store)
        : writer_(std::move(writer)), store_(store) {}
    Result<void> append(std::span<const std::byte> bytes) override {
      return writer_->append(bytes);
    }
    [[nodiscard]] std::uint64_t offset() const override { return writer_->offset(); }
    Result<std::string> checkpoint() override { return writer_->checkpoint(); }
    Result<storage::Location> commit(const model::Digest& expected) override {
      auto location = writer_->commit(expected);
      store_.in_the_gap();
      return location;
    }
    void replace_existing() override { writer_->replace_existing(); }
    Result<void> discard() override { return writer_->discard(); }

   private:
    std::unique_ptr<storage::BlobWriter> writer_;
    GapStore& store_;
  };
  std::unique_ptr<storage::BlobWriter> wrap(std::unique_ptr<storage::BlobWriter> writer) {
    return std::make_unique<Writer>(std::move(writer), *this);
  }
  std::unique_ptr<storage::BlobStore> store_ = storage::make_memory_store();
};

struct Step {
  std::function<void()> act;
  std::function<bool()> possible = [] { return true; };
};
/// One participant: a program of steps.
struct Actor {
  std::string name;
  std::vector<Step> steps;
};

class World {
 public:
  World() {
    bench_.add_project("p");
    bench_.options.grace = kGrace;
    bench_.options.lease_override = std::chrono::seconds{1};
    renew_uploads();
    // An old image, whose leases are over.
    bench_.put_blob("p/a", kConfig);
    bench_.put_blob("p/a", kLayer);
    old_ = bench_.put_manifest("p/a", "v1", image(kLayer));
    bench_.clock.advance(std::chrono::seconds{2});
    collect();
    beginning_ = bench_.clock.now();
    remember();
  }

  /// Back to the beginning: much cheaper than a world of its own for each schedule.
  void rewind() {
    const auto restore = [&](db::WriteSession& session) -> Result<void> {
      for (const auto table : kTables) {
        TRY(session.execute(fmt::format("DELETE FROM {}", table), {}));
      }
      for (auto row = rows_.rbegin(); row != rows_.rend(); ++row) {
        TRY(session.execute(*row, {}));
      }
      return {};
    };
    const auto restored = bench_.database->write(restore, db::Durability::kProcessDeath);
    CHECK(restored.has_value());
    bench_.clock.advance(beginning_ - bench_.clock.now());
    auto store = std::make_unique<GapStore>();
    store_ = store.get();
    bench_.store = std::move(store);
    renew_uploads();
    for (const std::string& content : {kConfig, kLayer}) {
      const auto writer = bench_.store->begin(model::Algorithm::kSha256, content.size());
      CHECK((*writer)->append(std::as_bytes(std::span(content))).has_value());
      CHECK((*writer)->commit(model::Digest::of(content)).has_value());
    }
    acknowledged_.clear();
    working_ = false;
    ticks_ = 0;
  }

  static std::string image(std::string_view layer) {
    return image_json(config_part(kConfig), {layer_part(layer)});
  }
  static std::string other_image() {
    return image_json(config_part(kConfig), {layer_part(kLayer)},
                      R"(,"annotations":{"second":"yes"})");
  }

  [[nodiscard]] bool head(const std::string& name, std::string_view content) {
    const auto principal = bench_.person(bench_.admin);
    return bench_.database
        ->read([&](db::ReadSession& session) {
          return find_blob(session, RegistryBench::pull(principal), repository(name),
                           model::Digest::of(content), {true, bench_.options.grace});
        })
        .has_value();
  }
  void delete_old() {
    const auto principal = bench_.person(bench_.admin);
    static_cast<void>(delete_manifest(bench_.database.get(), bench_.options,
                                      RegistryBench::remove(principal), repository("p/a"), *old_));
  }
  void delete_layer(const std::string& name) {
    const auto principal = bench_.person(bench_.admin);
    static_cast<void>(delete_blob(bench_.database.get(), bench_.options,
                                  RegistryBench::remove(principal), repository(name),
                                  model::Digest::of(kLayer)));
  }
  bool mount(const std::string& to, std::string_view content) {
    const auto principal = bench_.person(bench_.admin);
    const auto mounted = bench_.uploads->mount(RegistryBench::push(principal), repository(to),
                                               model::Digest::of(content), repository("p/a"));
    return mounted.has_value() && *mounted;
  }
  void push(const std::string& name, const std::string& tag, const std::string& bytes) {
    const auto pushed = bench_.try_manifest(name, tag, bytes);
    ASSERT_TRUE(pushed.has_value())
        << "MANIFEST_BLOB_UNKNOWN for a client that finished in time: " << pushed.error().message;
    acknowledged_.emplace(name, bytes);
  }
  void review() {
    const auto page = review_due(bench_.database.get(), bench_.options, {.count = 1});
    ASSERT_TRUE(page.has_value());
    ASSERT_EQ(page->postponed, 0U) << page->problem;
  }
  void empty_store() {
    ASSERT_TRUE(
        remove_from_store(bench_.database.get(), *bench_.store, bench_.locks, {1, 1}).has_value());
  }
  void collect() {
    for (bool more = true; more;) {
      const auto page = review_due(bench_.database.get(), bench_.options, {.count = 50});
      ASSERT_TRUE(page.has_value());
      more =
          page->reviewed > 0 || *forget_trash(bench_.database.get(), bench_.options, 10) > 0 ||
          !remove_from_store(bench_.database.get(), *bench_.store, bench_.locks, {50, 1})->empty();
    }
  }
  void upload(const std::string& name, std::string_view content) { bench_.put_blob(name, content); }

  /// As above, and the collector takes steps while the content is published and not yet named.
  void upload_with_gap(const std::string& name, std::string_view content) {
    store_->in_the_gap = [this] {
      review();
      review();
    };
    upload(name, content);
    store_->in_the_gap = [] {};
  }

  /// A client's time from its first question to its last push: time passes in it at most once, and
  /// less than half the grace period.
  void begin_work() {
    working_ = true;
    ticks_ = 0;
  }
  void end_work() { working_ = false; }
  void tick() {
    bench_.clock.advance(kTick);
    ++ticks_;
  }
  [[nodiscard]] bool may_tick() const { return !working_ || ticks_ == 0; }
  void wait_long() { bench_.clock.advance(kGrace + std::chrono::seconds{1}); }
  [[nodiscard]] bool may_wait_long() const { return !working_; }

  /// Every acknowledged manifest is whole, down to the bytes.
  void check_acknowledged() {
    for (const auto& [name, bytes] : acknowledged_) {
      for (const std::string& content : {kConfig, kLayer}) {
        EXPECT_TRUE(readable(name, content)) << name << " " << content;
      }
    }
  }
  /// After all is collected nothing is left that nobody refers to.
  void check_end() {
    for (int i = 0; i < 4; ++i) {
      bench_.clock.advance(10 * kGrace);
      collect();
    }
    check_acknowledged();
    const std::int64_t needed = bench_.number("SELECT COUNT(DISTINCT blob_id) FROM artifact_blob");
    EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM blob"), needed);
    EXPECT_EQ(static_cast<std::int64_t>(bench_.store->list("", 100)->size()), needed);
  }

  /// What decides everything to come, without ids and without absolute times.
  std::string fingerprint() {
    std::string text = fmt::format("{} {}\n", working_, working_ ? ticks_ : 0);
    for (const std::string_view sql :
         {"SELECT r.full_name || b.digest, rb.leased_until, COALESCE(rb.condemned_at, 0) FROM "
          "repository_blob rb JOIN blob b ON b.id = rb.blob_id JOIN repository r ON r.id = "
          "rb.repository_id ORDER BY 1",
          "SELECT digest || location, 0, 0 FROM blob ORDER BY 1",
          "SELECT r.full_name || a.digest, a.leased_until, COALESCE(a.condemned_at, 0) FROM "
          "artifact a JOIN repository r ON r.id = a.repository_id ORDER BY 1",
          "SELECT location, 0, 0 FROM deleting ORDER BY 1",
          "SELECT v.kind || COALESCE(r.full_name, '') || COALESCE((SELECT digest FROM blob b WHERE "
          "v.kind LIKE '%blob' AND b.id = v.object_id), '') || COALESCE((SELECT digest FROM "
          "artifact a WHERE v.kind = 'artifact' AND a.id = v.object_id), ''), v.due_at, 0 FROM "
          "review v LEFT JOIN repository r ON r.id = v.repository_id ORDER BY 1, 2",
          "SELECT digest, op_time, 0 FROM artifact_trash ORDER BY 1, 2"}) {
      const auto read = bench_.database->read([&](db::ReadSession& session) {
        return session.each(sql, {}, [&](const db::Row& row) {
          text +=
              fmt::format("{}|{}|{}\n", row.text(0), since(row.integer(1)), since(row.integer(2)));
          return true;
        });
      });
      EXPECT_TRUE(read.has_value());
    }
    const auto stored = bench_.store->list("", 100);
    for (const storage::Location& location : *stored) {
      text += location.value + "\n";
    }
    return text;
  }

 private:
  /// All that a schedule may change, in an order in which rows may go.
  static constexpr std::array<std::string_view, 19> kTables{
      "artifact_blob", "artifact_child",  "tag",          "tag_history", "artifact_trash",
      "untagged",      "review",          "deleting",     "upload",      "project_blob",
      "quota_delta",   "repository_blob", "artifact",     "manifest",    "blob_content",
      "blob",          "list_bucket",     "event_outbox", "repository"};

  /// With the options and the store of now.
  void renew_uploads() {
    bench_.uploads = std::make_unique<Uploads>(bench_.database.get(), *bench_.store, bench_.locks,
                                               bench_.options);
  }
  void remember() {
    const auto read = bench_.database->read([&](db::ReadSession& session) -> Result<void> {
      for (const auto table : kTables) {
        TRY(remember_table(session, table));
      }
      return {};
    });
    CHECK(read.has_value());
  }
  Result<void> remember_table(db::ReadSession& session, std::string_view table) {
    const auto columns =
        TRY(session.all("SELECT name FROM pragma_table_info(?)", {table},
                        [](const db::Row& row) { return std::string(row.text(0)); }));
    std::string values;
    for (const std::string& column : columns) {
      values += fmt::format("{}quote(\"{}\")", values.empty() ? "" : "||','||", column);
    }
    return session.each(
        fmt::format("SELECT {} FROM {}", values, table), {}, [&](const db::Row& row) {
          rows_.push_back(fmt::format("INSERT INTO {} VALUES ({})", table, row.text(0)));
          return true;
        });
  }
  std::int64_t since(std::int64_t micros) {
    return micros == 0 ? 0 : to_micros(bench_.clock.now()) - micros;
  }
  bool readable(const std::string& name, std::string_view content) {
    const auto principal = bench_.person(bench_.admin);
    const auto found = bench_.database->read([&](db::ReadSession& session) {
      return find_blob(session, RegistryBench::pull(principal), repository(name),
                       model::Digest::of(content), {});
    });
    return found && bench_.store->stat(found->location).has_value();
  }

  RegistryBench bench_;
  std::optional<model::Digest> old_;
  Time beginning_;
  std::vector<std::string> rows_;  ///< As statements, those to insert last first.
  GapStore* store_ = nullptr;
  bool working_ = false;
  int ticks_ = 0;
  std::set<std::pair<std::string, std::string>> acknowledged_;
};

using Scenario = std::function<std::vector<Actor>(World&)>;

/// Depth first over all schedules.
class Explorer {
 public:
  explicit Explorer(Scenario scenario) : scenario_(std::move(scenario)) {}

  void explore() { visit({}); }
  [[nodiscard]] std::size_t states() const { return seen_.size(); }
  [[nodiscard]] std::size_t ends() const { return ends_; }

 private:
  void visit(const std::vector<std::size_t>& schedule) {
    if (::testing::Test::HasFailure()) {
      return;
    }
    world_.rewind();
    const std::vector<Actor> actors = scenario_(world_);
    std::vector<std::size_t> at(actors.size(), 0);
    std::string story;
    for (const std::size_t who : schedule) {
      story += fmt::format("{}.{} ", actors[who].name, at[who]);
      actors[who].steps[at[who]++].act();
    }
    SCOPED_TRACE(story);
    world_.check_acknowledged();
    std::string state = world_.fingerprint();
    for (const std::size_t position : at) {
      state += std::to_string(position) + ",";
    }
    if (::testing::Test::HasFailure() || !seen_.insert(std::move(state)).second) {
      return;
    }
    // Asked before the next visit changes the world.
    std::vector<std::size_t> able;
    bool over = true;
    for (std::size_t who = 0; who < actors.size(); ++who) {
      const bool has_more = at[who] < actors[who].steps.size();
      over = over && !has_more;
      if (has_more && actors[who].steps[at[who]].possible()) {
        able.push_back(who);
      }
    }
    if (over) {
      ++ends_;
      world_.check_end();
    }
    for (const std::size_t who : able) {
      std::vector<std::size_t> next = schedule;
      next.push_back(who);
      visit(next);
    }
  }

  World world_;
  Scenario scenario_;
  std::set<std::string> seen_;
  std::size_t ends_ = 0;
};

Actor collector(World& world, int reviews, int removals) {
  Actor actor{"collector", {}};
  for (int i = 0; i < reviews; ++i) {
    actor.steps.push_back({[&world] { world.review(); }});
  }
  for (int i = 0; i < removals; ++i) {
    actor.steps.push_back({[&world] { world.empty_store(); }});
  }
  return actor;
}

Actor time_passing(World& world, int waits, int ticks) {
  Actor actor{"clock", {}};
  for (int i = 0; i < waits; ++i) {
    actor.steps.push_back(
        {[&world] { world.wait_long(); }, [&world] { return world.may_wait_long(); }});
  }
  for (int i = 0; i < ticks; ++i) {
    actor.steps.push_back({[&world] { world.tick(); }, [&world] { return world.may_tick(); }});
  }
  return actor;
}

Actor deleter(World& world) {
  return {"deleter", {{[&world] { world.delete_old(); }}}};
}

/// A client that asks by HEAD for both blobs, uploads what is not there, and pushes a manifest.
Actor pusher(World& world, const std::string& name) {
  const auto ask = [&world, name] {
    world.begin_work();
    for (const std::string& content : {kConfig, kLayer}) {
      if (!world.head(name, content)) {
        world.upload(name, content);
      }
    }
  };
  const auto push = [&world, name] {
    world.push(name, "v2", World::other_image());
    world.end_work();
  };
  return {"pusher", {{ask}, {push}}};
}

/// A client that mounts both blobs from another repository, or uploads them.
Actor mounter(World& world) {
  const auto mount = [&world] {
    world.begin_work();
    for (const std::string& content : {kConfig, kLayer}) {
      if (!world.mount("p/b", content)) {
        world.upload("p/b", content);
      }
    }
  };
  const auto push = [&world] {
    world.push("p/b", "v1", World::image(kLayer));
    world.end_work();
  };
  return {"mounter", {{mount}, {push}}};
}

/// A client that uploads without asking, into another repository.
Actor pusher_without_questions(World& world) {
  const auto upload = [&world] {
    world.upload("p/b", kConfig);
    world.upload("p/b", kLayer);
  };
  return {"uploader", {{upload}, {[&world] { world.push("p/b", "v1", World::image(kLayer)); }}}};
}

void explore(Scenario scenario, std::size_t states_min) {
  Explorer explorer(std::move(scenario));
  explorer.explore();
  EXPECT_GE(explorer.states(), states_min) << "the scenario is smaller than it looks";
  EXPECT_GE(explorer.ends(), 1U);
  ::testing::Test::RecordProperty("states", std::to_string(explorer.states()));
}

TEST(Interleaving, APushOfWhatIsDeletedAndCollected) {
  explore(
      [](World& world) {
        return std::vector<Actor>{pusher(world, "p/a"), deleter(world), time_passing(world, 1, 3),
                                  collector(world, 5, 1)};
      },
      100);
}

TEST(Interleaving, AMountOfWhatIsDeletedAndCollected) {
  explore(
      [](World& world) {
        return std::vector<Actor>{mounter(world), deleter(world), time_passing(world, 1, 1),
                                  collector(world, 5, 1)};
      },
      100);
}

TEST(Interleaving, ABlobTakenOutByHandWhileItIsPushed) {
  explore(
      [](World& world) {
        Actor by_hand{"by hand", {{[&world] { world.delete_layer("p/a"); }}}};
        return std::vector<Actor>{mounter(world), deleter(world), by_hand, collector(world, 3, 1)};
      },
      50);
}

TEST(Interleaving, AnUploadWhoseRowGoesBetweenPublicationAndCommit) {
  explore(
      [](World& world) {
        Actor uploader{"uploader",
                       {{[&world] {
                          world.begin_work();
                          world.upload_with_gap("p/a", kConfig);
                          world.upload_with_gap("p/a", kLayer);
                        }},
                        {[&world] {
                          world.push("p/a", "v2", World::other_image());
                          world.end_work();
                        }}}};
        return std::vector<Actor>{uploader, deleter(world), time_passing(world, 1, 0),
                                  collector(world, 4, 2)};
      },
      100);
}

TEST(Interleaving, TwoPushesTheLastHoldersOfWhatIsCollected) {
  explore(
      [](World& world) {
        return std::vector<Actor>{pusher(world, "p/a"), pusher_without_questions(world),
                                  deleter(world), collector(world, 3, 1)};
      },
      100);
}

}  // namespace
}  // namespace roadstead::registry
