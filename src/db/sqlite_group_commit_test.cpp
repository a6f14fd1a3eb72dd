#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "db/internal/sqlite_writer.h"
#include "db/testing/fault_vfs.h"
#include "db/testing/scratch_database.h"

namespace roadstead::db {
namespace {

using testing::FaultVfs;
using testing::open_scratch_database;
using testing::ScratchDatabase;
using Function = std::function<Result<void>(WriteSession&)>;

Result<void> put(WriteSession& session, std::string_view name, std::string_view value = "") {
  TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)",
                      {name, value, session.now()}));
  return {};
}

Function putting(std::string name) {
  return [name = std::move(name)](WriteSession& session) { return put(session, name); };
}

/// The names in table property, joined: "a b c".
std::string names(Database& database) {
  std::string joined;
  EXPECT_TRUE(database.read([&](ReadSession& session) {
    joined.clear();
    return session.each("SELECT name FROM property ORDER BY name", {}, [&](const Row& row) {
      joined += joined.empty() ? "" : " ";
      joined += row.text(0);
      return true;
    });
  }));
  return joined;
}

/// Keeps the writer busy so that everything added until release() is one batch, in the order of
/// adding. The function that keeps it busy is the first of the batch.
class Batch {
 public:
  explicit Batch(Database& database, std::function<std::size_t()> queue_length)
      : database_(database), queue_length_(std::move(queue_length)) {
    results_.emplace_back();
    threads_.emplace_back([this] {
      results_[0] = database_.write([this](WriteSession&) -> Result<void> {
        if (!released_started_) {
          released_started_ = true;
          started_.count_down();
          release_.wait();
        }
        return {};
      });
    });
    started_.wait();
  }
  explicit Batch(Database& database)
      : Batch(database, [&] { return database.statistics().write_queue_length; }) {}
  ~Batch() { run(); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  Batch& add(Function function) {
    const std::size_t index = threads_.size();
    functions_.push_back(std::make_unique<Function>(std::move(function)));
    results_.emplace_back();
    threads_.emplace_back([this, index, &fn = *functions_.back()] {
      Result<void> result = database_.write(fn);
      const std::lock_guard lock(mutex_);
      results_[index] = std::move(result);
    });
    while (queue_length_() < index) {
      std::this_thread::yield();
    }
    return *this;
  }
  /// Lets the batch run; the results of the added functions in their order.
  std::vector<Result<void>> run() {
    if (!threads_.empty()) {
      release_.count_down();
      for (std::thread& thread : threads_) {
        thread.join();
      }
      threads_.clear();
    }
    return {results_.begin() + 1, results_.end()};
  }

 private:
  Database& database_;
  std::function<std::size_t()> queue_length_;
  std::latch started_{1};
  std::latch release_{1};
  bool released_started_ = false;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Function>> functions_;
  std::deque<Result<void>> results_;
  std::vector<std::thread> threads_;
};

/// "ok", or the code, for each result: "ok conflict ok".
std::string outcome(const std::vector<Result<void>>& results) {
  std::string joined;
  for (const Result<void>& result : results) {
    joined += joined.empty() ? "" : ", ";
    joined += result ? "ok" : to_string(result.error().code);
  }
  return joined;
}

/// Fails with SQLITE_FULL in a way that makes the engine roll the whole transaction back.
Function filling_the_disk() {
  return [](WriteSession& session) -> Result<void> {
    const auto pages =
        TRY(session.first("PRAGMA page_count", {}, [](const Row& row) { return row.integer(0); }));
    TRY(session.each(fmt::format("PRAGMA max_page_count={}", pages.value_or(1)), {},
                     [](const Row&) { return true; }));
    const std::string large(1U << 20U, 'x');
    Result<void> result = put(session, "large", large);
    EXPECT_FALSE(result);
    // What the function tries next must not become a transaction of its own.
    EXPECT_FALSE(put(session, "after"));
    EXPECT_FALSE(
        session.each("PRAGMA max_page_count=1000000000", {}, [](const Row&) { return true; }));
    return result;
  };
}

Function with_space_again(Function function) {
  return [function = std::move(function)](WriteSession& session) -> Result<void> {
    TRY(session.each("PRAGMA max_page_count=1000000000", {}, [](const Row&) { return true; }));
    return function(session);
  };
}

TEST(GroupCommit, OneCommitForManyFunctions) {
  ScratchDatabase database = open_scratch_database();
  const Statistics before = database->statistics();
  Batch batch(*database);
  for (int i = 0; i < 20; ++i) {
    batch.add(putting(fmt::format("n{:02}", i)));
  }
  for (const Result<void>& result : batch.run()) {
    EXPECT_TRUE(result);
  }
  const Statistics after = database->statistics();
  EXPECT_EQ(after.write_functions - before.write_functions, 21U);
  EXPECT_EQ(after.commits - before.commits, 1U);
  EXPECT_EQ(after.write_queue_length, 0U);
}

TEST(GroupCommit, BatchMaxBoundsATransaction) {
  ScratchDatabase database = open_scratch_database({.path = {}, .batch_max = 4});
  Batch batch(*database);
  for (int i = 0; i < 7; ++i) {
    batch.add(putting(fmt::format("n{}", i)));
  }
  batch.run();
  EXPECT_EQ(names(*database), "n0 n1 n2 n3 n4 n5 n6");
  EXPECT_EQ(database->statistics().commits, 2U);
}

TEST(GroupCommit, AFailingFunctionFailsAlone) {
  ScratchDatabase database = open_scratch_database();
  const auto results = Batch(*database)
                           .add(putting("a"))
                           .add([](WriteSession& session) -> Result<void> {
                             TRY(put(session, "b"));
                             return put(session, "a");
                           })
                           .add(putting("c"))
                           .run();
  EXPECT_EQ(outcome(results), "ok, conflict, ok");
  EXPECT_EQ(names(*database), "a c");
  EXPECT_EQ(database->statistics().commits, 1U);
}

TEST(GroupCommit, FunctionsOfABatchSeeEarlierOnes) {
  ScratchDatabase database = open_scratch_database();
  Batch batch(*database);
  for (int i = 0; i < 5; ++i) {
    batch.add([](WriteSession& session) -> Result<void> {
      const auto count = TRY(session.first("SELECT count(*) FROM property", {},
                                           [](const Row& row) { return row.integer(0); }));
      return put(session, fmt::format("n{}", count.value_or(-1)));
    });
  }
  batch.run();
  EXPECT_EQ(names(*database), "n0 n1 n2 n3 n4");
}

TEST(GroupCommit, FullDiskFailsTheFunctionAndRunsTheOthersAgain) {
  ScratchDatabase database = open_scratch_database();
  int runs = 0;
  const auto results = Batch(*database)
                           .add([&](WriteSession& session) {
                             ++runs;
                             return put(session, "a");
                           })
                           .add(putting("b"))
                           .add(filling_the_disk())
                           .add(with_space_again(putting("c")))
                           .run();
  EXPECT_EQ(outcome(results), "ok, ok, unavailable, ok");
  EXPECT_EQ(names(*database), "a b c");
  EXPECT_EQ(runs, 2);
}

TEST(GroupCommit, SuccessAfterALostTransactionIsAnErrorNevertheless) {
  ScratchDatabase database = open_scratch_database();
  const auto results = Batch(*database)
                           .add(putting("a"))
                           .add([fill = filling_the_disk()](WriteSession& session) -> Result<void> {
                             EXPECT_FALSE(fill(session));
                             return {};
                           })
                           .run();
  EXPECT_EQ(outcome(results), "ok, unavailable");
  EXPECT_EQ(names(*database), "a");
}

TEST(GroupCommit, RepeatedLossesAreBounded) {
  ScratchDatabase database = open_scratch_database();
  int runs = 0;
  Batch batch(*database);
  batch.add([&](WriteSession& session) {
    ++runs;
    return put(session, "a");
  });
  for (int i = 0; i < 5; ++i) {
    batch.add(filling_the_disk());
  }
  const auto results = batch.run();
  EXPECT_EQ(outcome(results),
            "unavailable, unavailable, unavailable, unavailable, unavailable, unavailable");
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(names(*database), "");
  EXPECT_TRUE(database->write(with_space_again(putting("later"))));
  EXPECT_EQ(names(*database), "later");
}

TEST(GroupCommit, DeferredViolationIsFoundAndFailsAlone) {
  ScratchDatabase database = open_scratch_database();
  const auto results =
      Batch(*database)
          .add(putting("a"))
          .add([](WriteSession& session) -> Result<void> {
            TRY(session.execute("PRAGMA defer_foreign_keys=ON", {}));
            TRY(session.execute("INSERT INTO project_blob (project_id, blob_id) VALUES (1, 1)",
                                {}));
            return put(session, "b");
          })
          .add(putting("c"))
          .run();
  EXPECT_EQ(outcome(results), "ok, conflict, ok");
  EXPECT_EQ(names(*database), "a c");
}

TEST(GroupCommit, FailedSyncFailsEverybodyAndKeepsNothing) {
  FaultVfs faults;
  SqliteOptions options;
  options.vfs = faults.name();
  ScratchDatabase database = open_scratch_database(options);
  ASSERT_TRUE(database->write(putting("before")));
  std::vector<std::string> hints;
  Batch batch(*database);
  batch.add([&](WriteSession& session) {
    session.after_commit([&] { hints.emplace_back("a"); });
    return put(session, "a");
  });
  // An error too may rest on what was not committed: here "a" exists only inside the batch.
  batch.add(putting("a"));
  faults.fail_after(0, 1, SQLITE_IOERR_FSYNC, FaultVfs::Call::kSync);
  EXPECT_EQ(outcome(batch.run()), "unavailable, unavailable");
  EXPECT_EQ(faults.stop_failing(), 1U);
  EXPECT_EQ(names(*database), "before");
  EXPECT_TRUE(hints.empty());
  ASSERT_TRUE(database->write(putting("after")));
  database.reopen();
  EXPECT_EQ(names(*database), "after before");
}

/// What a batch does under faults: each function changes more pages than the cache holds, so the
/// engine writes in the middle of functions and not only at COMMIT.
Function spilling(const std::string& name) {
  return [name](WriteSession& session) -> Result<void> {
    TRY(session.execute("PRAGMA cache_size=10", {}));
    for (int i = 0; i < 8; ++i) {
      TRY(put(session, fmt::format("{}{}", name, i), std::string(9'000, 'x')));
    }
    return {};
  };
}

/// Every acknowledged function is there whole, every failed one is not there at all.
void expect_whole(const std::string& found, const std::vector<Result<void>>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (int row = 0; row < 8; ++row) {
      const bool present = found.find(fmt::format("f{}-{}", i, row)) != std::string::npos;
      EXPECT_EQ(present, results[i].has_value()) << "function " << i << " row " << row;
    }
  }
}

class EveryFault : public ::testing::TestWithParam<std::pair<int, std::size_t>> {};

TEST_P(EveryFault, LeavesWholeFunctionsOnly) {
  const auto [code, count] = GetParam();
  FaultVfs faults;
  SqliteOptions options;
  options.vfs = faults.name();
  // The writer is the only one to write: faults of the checkpointer are another test's.
  options.wal_size_max = 1U << 30U;
  bool fired = true;
  for (std::size_t nth = 0; fired && nth < 200; nth += 5) {
    SCOPED_TRACE(nth);
    ScratchDatabase database = open_scratch_database(options);
    Batch batch(*database);
    for (int i = 0; i < 4; ++i) {
      batch.add(spilling(fmt::format("f{}-", i)));
    }
    faults.fail_after(nth, count, code);
    const auto results = batch.run();
    fired = faults.stop_failing() > 0;
    EXPECT_TRUE(fired || outcome(results) == "ok, ok, ok, ok");
    expect_whole(names(*database), results);
    EXPECT_TRUE(database->write(putting("retry")));
    database.reopen();
    expect_whole(names(*database), results);
    EXPECT_NE(names(*database).find("retry"), std::string::npos);
  }
  EXPECT_FALSE(fired);
}

TEST(Durability, OnlyWritesThatSurvivePowerLossAskForASync) {
  FaultVfs faults;
  SqliteOptions options;
  options.vfs = faults.name();
  ScratchDatabase database = open_scratch_database(options);
  ASSERT_TRUE(database->write(putting("before")));
  faults.fail_after(0, 1'000, SQLITE_IOERR_FSYNC, FaultVfs::Call::kSync);
  EXPECT_TRUE(database->write(putting("relaxed"), Durability::kProcessDeath));
  EXPECT_EQ(database->write(putting("durable")).error().code, Code::kUnavailable);
  EXPECT_GT(faults.stop_failing(), 0U);
  EXPECT_TRUE(database->write(putting("after")));
  database.reopen();
  const std::string kept = names(*database);
  EXPECT_NE(kept.find("relaxed"), std::string::npos);
  EXPECT_NE(kept.find("after"), std::string::npos);
}

TEST(Durability, ARelaxedBatchTakesInNoDurableWrite) {
  FaultVfs faults;
  SqliteOptions options;
  options.vfs = faults.name();
  ScratchDatabase database = open_scratch_database(options);
  std::latch started(1);
  std::latch release(1);
  Result<void> relaxed;
  std::thread first([&] {
    relaxed = database->write(
        [&](WriteSession& session) -> Result<void> {
          started.count_down();
          release.wait();
          return put(session, "relaxed");
        },
        Durability::kProcessDeath);
  });
  started.wait();
  Result<void> durable;
  std::thread second([&] { durable = database->write(putting("durable")); });
  while (database->statistics().write_queue_length == 0) {
    std::this_thread::yield();
  }
  faults.fail_after(0, 1'000, SQLITE_IOERR_FSYNC, FaultVfs::Call::kSync);
  release.count_down();
  first.join();
  second.join();
  EXPECT_TRUE(relaxed);
  EXPECT_FALSE(durable);
}

INSTANTIATE_TEST_SUITE_P(Codes, EveryFault,
                         ::testing::Values(std::pair(SQLITE_FULL, std::size_t{1}),
                                           std::pair(SQLITE_IOERR_WRITE, std::size_t{1}),
                                           std::pair(SQLITE_FULL, std::size_t{1'000})));

}  // namespace
}  // namespace roadstead::db
