#include "gc/collector.h"

#include <thread>

#include <gtest/gtest.h>

#include "gc/internal/runner.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::gc {
namespace {

using registry::testing::RegistryBench;
using std::chrono::seconds;

constexpr seconds kPatience{20};

class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest() : sink_(2, log::Format::kText, log::Level::kError, bench_.clock) {
    bench_.add_project("p");
    bench_.options.grace = seconds{0};
  }

  std::unique_ptr<Collector> collector(Collector::Settings settings = {seconds{0}, false, {}}) {
    return std::make_unique<Collector>(
        Collector::Parts{bench_.database.get(), *bench_.store, bench_.locks, bench_.options,
                         *member_, log::Logger(sink_)},
        std::move(settings));
  }
  static gc::Run run(Collector& collector, const Parameters& parameters = {}) {
    const auto id = collector.trigger(parameters, "admin");
    EXPECT_TRUE(id.has_value()) << (id ? "" : id.error().message);
    const auto run = collector.wait(*id, kPatience);
    EXPECT_TRUE(run.has_value());
    return *run;
  }
  /// Larger than what becomes a row.
  static inline const std::string kGarbage = std::string(20'000, 'g');

  void make_garbage() {
    bench_.put_blob("p/a", kGarbage);
    bench_.clock.advance(bench_.options.lease() + seconds{1});
  }
  std::vector<std::string> log_of(RunId id) {
    const auto lines = bench_.database->read(
        [&](db::ReadSession& session) { return read_log(session, id, 0, 1000); });
    std::vector<std::string> texts;
    for (const LogLine& line : *lines) {
      texts.push_back(line.text);
    }
    return texts;
  }
  auth::Page<gc::Run> history(auth::ListQuery query = {}) {
    return *bench_.database->read(
        [&](db::ReadSession& session) { return list_runs(session, query); });
  }

  RegistryBench bench_;
  log::Sink sink_;
  std::unique_ptr<replica::Member> member_ =
      replica::Member::join(bench_.database.get(), {"here", "jobs", "1"}, log::Logger(sink_))
          .value();
};

TEST_F(CollectorTest, ARunRemovesGarbageAndTellsOfIt) {
  make_garbage();
  const auto gc = collector();
  const auto ended = run(*gc, {false, false, 3});
  EXPECT_EQ(ended.status, Status::kSuccess) << ended.message;
  EXPECT_EQ(ended.operator_name, "admin");
  EXPECT_EQ(ended.counters.purged_blobs, 1);
  EXPECT_EQ(ended.counters.freed_space, 20'000);
  EXPECT_TRUE(bench_.store->list("", 10)->empty());
  const auto log = log_of(ended.id);
  const std::string digest = model::Digest::of(kGarbage).to_string();
  for (const std::string& line :
       {std::string("workers: 3"), std::string("1 blobs and 0 manifests eligible for deletion"),
        "delete blob from storage: " + digest}) {
    EXPECT_NE(std::find(log.begin(), log.end(), line), log.end()) << line;
  }
  EXPECT_EQ(gc->totals().counters.purged_blobs, 1);
}

TEST_F(CollectorTest, ADryRunChangesNothingAndNamesWhatARunRemoves) {
  make_garbage();
  const auto gc = collector();
  const auto dry = run(*gc, {true, true, 1});
  EXPECT_EQ(dry.counters.purged_blobs, 1);
  EXPECT_EQ(dry.counters.freed_space, 20'000);
  EXPECT_EQ(bench_.store->list("", 10)->size(), 1U);
  EXPECT_EQ(gc->totals().counters.purged_blobs, 0);
  const auto real = run(*gc, {true, false, 1});
  EXPECT_EQ(real.counters.purged_blobs, dry.counters.purged_blobs);
  EXPECT_EQ(history().total, 2);
}

TEST_F(CollectorTest, ByItselfItRemovesGarbageAndKeepsOnlyRunsThatDid) {
  make_garbage();
  const auto gc = collector({seconds{1}, false, {}});
  const auto begun = std::chrono::steady_clock::now();
  while (gc->totals().runs < 2 && std::chrono::steady_clock::now() - begun < kPatience) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(bench_.store->list("", 10)->empty());
  ASSERT_EQ(history().total, 1);
  EXPECT_EQ(history().items.front().cause, Cause::kInterval);
}

TEST_F(CollectorTest, RefusesASecondRunAndTooManyWorkers) {
  for (int i = 0; i < 300; ++i) {
    bench_.put_blob("p/a", std::to_string(i) + kGarbage);
  }
  bench_.clock.advance(bench_.options.lease() + seconds{1});
  std::uint64_t answered = 0;
  const auto gc = collector({seconds{0}, false, [&] { return answered += 100'000; }});
  const auto first = gc->trigger({}, "admin");
  ASSERT_TRUE(first.has_value());
  const auto second = gc->trigger({}, "admin");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kConflict);
  ASSERT_TRUE(gc->stop(*first).has_value());
  const auto stopped = gc->wait(*first, kPatience);
  EXPECT_EQ(stopped->status, Status::kStopped);
  EXPECT_FALSE(bench_.store->list("", 1000)->empty()) << "stopped before its end";
  EXPECT_EQ(run(*gc).status, Status::kSuccess);
  EXPECT_TRUE(bench_.store->list("", 1000)->empty()) << "the next run goes on";
  EXPECT_EQ(gc->trigger({false, false, 0}, "admin").error().code, Code::kInvalid);
  EXPECT_EQ(gc->trigger({false, false, 11}, "admin").error().code, Code::kInvalid);
  EXPECT_EQ(gc->stop(RunId{99}).error().code, Code::kNotFound);
}

TEST_F(CollectorTest, ARunThatTheProcessDidNotLiveToEndIsMarked) {
  bench_.execute(
      "INSERT INTO gc_run (cause, status, operator, delete_untagged, dry_run, workers, reviewed, "
      "condemned, purged_blobs, purged_manifests, purged_artifacts, freed_space, message, "
      "creation_time, update_time) VALUES ('manual', 'Running', 'x', 0, 0, 1, 0, 0, 0, 0, 0, 0, "
      "'', 0, 0)");
  const auto gc = collector();
  run(*gc);
  auth::ListQuery query;
  query.filters.push_back({auth::Filter::Kind::kExact, "status", {"error"}});
  EXPECT_EQ(history(query).total, 1);
}

TEST_F(CollectorTest, OldRunsAreForgottenWithTheirLogs) {
  const auto gc = collector();
  for (std::size_t i = 0; i < kRunsKept + 3; ++i) {
    run(*gc);
  }
  const auto begun = std::chrono::steady_clock::now();
  while (bench_.number("SELECT COUNT(*) FROM gc_run") > static_cast<std::int64_t>(kRunsKept) &&
         std::chrono::steady_clock::now() - begun < kPatience) {
    std::this_thread::yield();
  }
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM gc_run"), static_cast<std::int64_t>(kRunsKept));
  EXPECT_EQ(bench_.number("SELECT COUNT(*) FROM gc_log l WHERE NOT EXISTS (SELECT 1 FROM gc_run r "
                          "WHERE r.id = l.run_id)"),
            0);
}

TEST(ClockGuardTest, HoldsBackForOneGraceAfterAJump) {
  internal::ClockGuard guard(seconds{100});
  const auto steady = std::chrono::steady_clock::now();
  const Time civil = from_micros(1'000'000'000);
  EXPECT_TRUE(guard.may_purge(civil, steady));
  EXPECT_TRUE(guard.may_purge(civil + seconds{50}, steady + seconds{10})) << "less than a minute";
  EXPECT_FALSE(guard.may_purge(civil + seconds{500}, steady + seconds{20}));
  EXPECT_FALSE(guard.may_purge(civil + seconds{590}, steady + seconds{110}));
  EXPECT_TRUE(guard.may_purge(civil + seconds{600}, steady + seconds{121}));
}

}  // namespace
}  // namespace roadstead::gc
