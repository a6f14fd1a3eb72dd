#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "db/migration.h"
#include "db/server.h"
#include "db/testing/server_fixture.h"

namespace roadstead::db::testing {
namespace {

using namespace std::chrono_literals;

class ServerDatabaseTest : public ServerFixture {};

/// For what cannot be waited for: that something does not happen.
void pause_for(std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, time);
}

INSTANTIATE_TEST_SUITE_P(Engines, ServerDatabaseTest,
                         ::testing::Values(ServerEngine::kPostgresql, ServerEngine::kMysql),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(ServerDatabaseTest, AnErrorUndoesEverything) {
  const auto database = server().open();
  const auto result = database->write([](WriteSession& session) -> Result<void> {
    TRY(put(session, "a", "1"));
    return Error{Code::kDenied, Subject::kProject, "no", "why"};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kDenied);
  EXPECT_EQ(result.error().detail, "why");
  EXPECT_EQ(get(*database, "a"), std::nullopt);
}

TEST_P(ServerDatabaseTest, NothingOfAFunctionIsKeptAfterAFailedStatement) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "1"));
  const auto result = database->write([](WriteSession& session) -> Result<void> {
    TRY(put(session, "before", "1"));
    EXPECT_FALSE(put(session, "a", "2"));
    EXPECT_FALSE(put(session, "after", "2")) << "it would be outside of any transaction";
    return {};
  });
  ASSERT_FALSE(result) << "whatever the function says";
  EXPECT_EQ(result.error().code, Code::kConflict);
  EXPECT_EQ(get(*database, "before"), std::nullopt);
  EXPECT_EQ(get(*database, "after"), std::nullopt);
}

TEST_P(ServerDatabaseTest, HintsRunOnlyForWhatWasCommitted) {
  const auto database = server().open();
  std::vector<std::string> ran;
  ASSERT_TRUE(database->write([&](WriteSession& session) -> Result<void> {
    session.after_commit([&] { ran.emplace_back("good"); });
    return {};
  }));
  ASSERT_FALSE(database->write([&](WriteSession& session) -> Result<void> {
    session.after_commit([&] { ran.emplace_back("bad"); });
    return Error{Code::kDenied, Subject::kNone, "no", ""};
  }));
  EXPECT_EQ(ran, std::vector<std::string>{"good"});
}

TEST_P(ServerDatabaseTest, ASnapshotDoesNotSeeLaterCommits) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "old"));
  ASSERT_TRUE(database->read([&](ReadSession& session) -> Result<void> {
    // MySQL's begins with the transaction, PostgreSQL's with the first statement.
    EXPECT_EQ(TRY(get(session, "a")), "old");
    EXPECT_TRUE(database->write([](WriteSession& writer) -> Result<void> {
      TRY(writer.execute("UPDATE property SET value = 'new' WHERE name = 'a'", {}));
      return put(writer, "b", "new");
    }));
    EXPECT_EQ(TRY(get(session, "a")), "old");
    EXPECT_EQ(TRY(get(session, "b")), std::nullopt);
    return {};
  }));
  EXPECT_EQ(get(*database, "a"), "new");
  EXPECT_EQ(get(*database, "b"), "new");
}

TEST_P(ServerDatabaseTest, AWriterSeesWhatIsCommittedBetweenItsStatements) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "old"));
  ASSERT_TRUE(database->write([&](WriteSession& session) -> Result<void> {
    EXPECT_EQ(TRY(get(session, "a")), "old");
    std::thread([&] {
      EXPECT_TRUE(database->write([](WriteSession& other) {
        return other.execute("UPDATE property SET value = 'new' WHERE name = 'a'", {});
      }));
    }).join();
    EXPECT_EQ(TRY(get(session, "a")), "new");
    return {};
  }));
}

TEST_P(ServerDatabaseTest, AReadChangesNothing) {
  const auto database = server().open();
  const auto result = database->read([](ReadSession& session) {
    return session.each("INSERT INTO property (name, value, update_time) VALUES ('a', '', 0)", {},
                        [](const Row&) { return true; });
  });
  EXPECT_FALSE(result);
  EXPECT_EQ(get(*database, "a"), std::nullopt);
}

TEST_P(ServerDatabaseTest, AStatementAloneNeedsNoTransaction) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "1"));
  const auto read = [](ReadSession& session) { return get(session, "a"); };
  ASSERT_TRUE(database->read_once(read));
  const std::uint64_t before = database->statistics().statements;
  EXPECT_EQ(database->read_once(read).value(), "1");
  EXPECT_EQ(database->statistics().statements, before + 1);
  ASSERT_TRUE(database->write([](WriteSession& session) {
    return session.execute("UPDATE property SET value = '2' WHERE name = 'a'", {});
  }));
  EXPECT_EQ(database->read_once(read).value(), "2") << "nothing is left open between sessions";
}

TEST_P(ServerDatabaseTest, TheSecondStatementOfReadOnceAborts) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto database = server().open();
  EXPECT_DEATH(static_cast<void>(database->read_once([&](ReadSession& session) {
                 static_cast<void>(get(session, "a"));
                 return get(session, "a");
               })),
               "statements_left_");
}

TEST_P(ServerDatabaseTest, TheSameStatementInsideItself) {
  const auto database = server().open();
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(put(*database, name, "1"));
  }
  const auto pairs = database->read([](ReadSession& session) -> Result<int> {
    constexpr std::string_view kAll = "SELECT name FROM property ORDER BY name";
    int count = 0;
    TRY(session.each(kAll, {}, [&](const Row&) {
      EXPECT_TRUE(session.each(kAll, {}, [&](const Row&) { return ++count > 0; }));
      return true;
    }));
    return count;
  });
  EXPECT_EQ(pairs.value(), 9);
}

TEST_P(ServerDatabaseTest, ManyTextsDoNotGrowTheCacheForEver) {
  const auto database = server().open();
  ASSERT_TRUE(database->read([](ReadSession& session) -> Result<void> {
    for (int i = 0; i < 1'500; ++i) {
      const std::string sql = "SELECT COUNT(*) + " + std::to_string(i) + " FROM property";
      EXPECT_EQ(TRY(session.first(sql, {}, [](const Row& row) { return row.integer(0); })), i);
    }
    return {};
  }));
}

TEST_P(ServerDatabaseTest, ParametersMayBeManyAndNone) {
  const auto database = database_with_values();
  std::string sql = "INSERT INTO v (n) VALUES (?)";
  std::vector<Param> params = {0};
  for (int i = 1; i < 2'000; ++i) {
    sql += ", (?)";
    params.emplace_back(i);
  }
  EXPECT_EQ(database->write([&](WriteSession& s) { return s.execute(sql, params); }).value(),
            2'000);
  const auto sum = database->read_once([](ReadSession& session) {
    return session.first("SELECT SUM(n) FROM v", {}, [](const Row& row) { return row.integer(0); });
  });
  EXPECT_EQ(sum.value(), 1'999'000);
}

TEST_P(ServerDatabaseTest, StatementsThatAreNotPreparedAnswerTheSame) {
  const auto database = server().open("prepared_statements=false");
  ASSERT_TRUE(put(*database, "a", "1"));
  EXPECT_EQ(get(*database, "a"), "1");
  const auto id = database->write([](WriteSession& session) {
    return session.insert("INSERT INTO quota_delta (project_id, bytes) VALUES (?, ?)", {1, 5});
  });
  EXPECT_EQ(id.value(), 1);
}

TEST_P(ServerDatabaseTest, TheClockIsTheServersAndStandsStillInASession) {
  const auto database = server().open();
  Time inside{};
  ASSERT_TRUE(database->write([&](WriteSession& session) -> Result<void> {
    inside = session.now();
    pause_for(2ms);
    EXPECT_EQ(session.now(), inside);
    return put(session, "a", "1");
  }));
  const auto difference = SystemClock().now() - inside;
  EXPECT_LT(difference, 60s);
  EXPECT_GT(difference, -60s);
  const auto later = database->read([](ReadSession& s) -> Result<Time> { return s.now(); });
  EXPECT_GT(later.value(), inside);
}

TEST_P(ServerDatabaseTest, WhoMeetInADeadlockBothGetThrough) {
  const auto database = database_with_values();
  const std::array ids = {insert_value(*database, 0, nullptr, nullptr).value(),
                          insert_value(*database, 0, nullptr, nullptr).value()};
  std::barrier both_hold_one(2);
  const auto add = [&](std::int64_t first, std::int64_t second) {
    bool met = false;
    return database->write([&, met](WriteSession& session) mutable -> Result<void> {
      constexpr std::string_view kAdd = "UPDATE v SET n = n + 1 WHERE id = ?";
      TRY(session.execute(kAdd, {first}));
      if (!std::exchange(met, true)) {
        both_hold_one.arrive_and_wait();
      }
      TRY(session.execute(kAdd, {second}));
      return {};
    });
  };
  Result<void> other;
  std::thread thread([&] { other = add(ids[1], ids[0]); });
  const Result<void> here = add(ids[0], ids[1]);
  thread.join();
  EXPECT_TRUE(here);
  EXPECT_TRUE(other);
  EXPECT_EQ(value_at(*database, ids[0]).number, 2);
  EXPECT_EQ(value_at(*database, ids[1]).number, 2);
  EXPECT_GE(database->statistics().retries, 1U);
}

TEST_P(ServerDatabaseTest, WhoLosesARaceForANameFindsIt) {
  const auto database = server().open();
  std::barrier both_looked(2);
  const auto ensure = [&](std::string_view value) {
    bool met = false;
    return database->write([&, met](WriteSession& session) mutable -> Result<std::string> {
      const auto found = TRY(get(session, "name"));
      if (!std::exchange(met, true)) {
        both_looked.arrive_and_wait();
      }
      if (found) {
        return *found;
      }
      TRY(put(session, "name", value));
      return std::string(value);
    });
  };
  Result<std::string> other = std::string();
  std::thread thread([&] { other = ensure("theirs"); });
  const Result<std::string> here = ensure("ours");
  thread.join();
  ASSERT_TRUE(here);
  ASSERT_TRUE(other);
  EXPECT_EQ(*here, *other);
  EXPECT_EQ(get(*database, "name"), *here);
}

TEST_P(ServerDatabaseTest, NoUpdateIsLostUnderLocks) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  const auto database = database_with_values();
  const std::int64_t id = insert_value(*database, 0, nullptr, nullptr).value();
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kRounds; ++n) {
        const auto done = database->write([&](WriteSession& session) -> Result<void> {
          const auto number = TRY(session.first("SELECT n FROM v WHERE id = ? FOR UPDATE", {id},
                                                [](const Row& row) { return row.integer(0); }));
          TRY(session.execute("UPDATE v SET n = ? WHERE id = ?", {number.value_or(0) + 1, id}));
          return {};
        });
        failed += done ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(value_at(*database, id).number, kThreads * kRounds);
}

TEST_P(ServerDatabaseTest, SharedLocksGoTogetherAndKeepARowFromGoing) {
  const auto database = database_with_values();
  const std::int64_t id = insert_value(*database, 0, nullptr, nullptr).value();
  constexpr std::string_view kShare = "SELECT id FROM v WHERE id = ? FOR KEY SHARE";
  std::atomic<bool> deleted = false;
  std::thread deleting;
  ASSERT_TRUE(database->write([&](WriteSession& session) -> Result<void> {
    TRY(session.lock(kShare, {id}));
    std::thread([&] {
      EXPECT_TRUE(database->write([&](WriteSession& other) { return other.lock(kShare, {id}); }));
    }).join();
    if (!deleting.joinable()) {
      deleting = std::thread([&] {
        EXPECT_TRUE(database->write([&](WriteSession& other) {
          return other.execute("DELETE FROM v WHERE id = ?", {id});
        }));
        deleted = true;
      });
    }
    pause_for(100ms);
    EXPECT_FALSE(deleted);
    return {};
  }));
  deleting.join();
  EXPECT_TRUE(deleted);
}

TEST_P(ServerDatabaseTest, APoolThatIsBusyRefusesInTime) {
  const auto database = server().open("pool_size=1&acquire_seconds=1");
  ASSERT_TRUE(database->ping());
  const auto start = std::chrono::steady_clock::now();
  const auto inner = database->read([&](ReadSession& session) -> Result<Result<void>> {
    TRY(get(session, "a"));
    return database->ping();
  });
  ASSERT_TRUE(inner);
  ASSERT_FALSE(*inner);
  EXPECT_EQ(inner->error().code, Code::kUnavailable);
  const auto passed = std::chrono::steady_clock::now() - start;
  EXPECT_GE(passed, 900ms);
  EXPECT_LT(passed, 10s);
  EXPECT_EQ(database->statistics().refusals, 1U);
  EXPECT_TRUE(database->ping()) << "and serves as before";
}

TEST_P(ServerDatabaseTest, LostConnectionsAreReplaced) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "1"));
  EXPECT_GE(server().kill_sessions(), 1U);
  EXPECT_EQ(get(*database, "a"), "1");
  server().kill_sessions();
  EXPECT_TRUE(put(*database, "b", "1"));
  EXPECT_GE(database->statistics().connection_losses, 1U);
}

TEST_P(ServerDatabaseTest, AWriteWhoseConnectionIsLostBeforeCommitRunsAgain) {
  const auto database = server().open();
  int runs = 0;
  const auto done = database->write([&](WriteSession& session) -> Result<void> {
    TRY(put(session, "a", "1"));
    if (++runs == 1) {
      server().kill_sessions();
    }
    return put(session, "b", "1");
  });
  ASSERT_TRUE(done) << describe(done.error());
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(get(*database, "b"), "1");
  EXPECT_EQ(database->statistics().connections_busy, 0U);
}

TEST_P(ServerDatabaseTest, AStatementThatTakesTooLongIsUnavailable) {
  const auto database = server().open("statement_seconds=1");
  const std::string_view sleep =
      postgresql() ? "SELECT CAST(pg_sleep(?) AS text)" : "SELECT SLEEP(?)";
  const auto start = std::chrono::steady_clock::now();
  const auto late = database->read([&](ReadSession& session) {
    return session.each(sleep, {20}, [](const Row&) { return true; });
  });
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable) << describe(late.error());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_TRUE(put(*database, "a", "1"));
}

TEST_P(ServerDatabaseTest, ManyThreadsShareFewConnections) {
  const auto database = server().open("pool_size=3");
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        failed += put(*database, std::to_string(i * 100 + n), "1") ? 0 : 1;
        failed += get(*database, std::to_string(i * 100 + n)) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failed, 0);
  EXPECT_LE(database->statistics().connects, 3U);
  EXPECT_EQ(database->statistics().connections_busy, 0U);
}

TEST_P(ServerDatabaseTest, WhoStartTogetherMigrateOnce) {
  begin_without_tables();
  std::array<Result<std::unique_ptr<Database>>, 3> opened{Error{}, Error{}, Error{}};
  std::vector<std::thread> threads;
  for (auto& slot : opened) {
    threads.emplace_back([&] { slot = server().try_open(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const auto& slot : opened) {
    EXPECT_TRUE(slot) << describe(slot.error());
  }
  EXPECT_EQ(server().rows("SELECT name FROM schema_version").size(), embedded_migrations().size());
}

TEST_P(ServerDatabaseTest, ANewerSchemaIsRefused) {
  begin_without_tables();
  ASSERT_NE(server().open(), nullptr);
  server().run("INSERT INTO schema_version (version, name, applied_at) VALUES (999, 'x', 0)");
  const auto newer = server().try_open();
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::kPrecondition);
}

TEST_P(ServerDatabaseTest, AServerThatIsNotThereIsUnavailableAndNoPasswordIsTold) {
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  const auto none =
      open_server_database(parse_server_url(postgresql() ? "postgresql://u:s3cret@127.0.0.1:1/d"
                                                         : "mysql://u:s3cret@127.0.0.1:1/d")
                               .value(),
                           log::Logger(sink));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnavailable);
  EXPECT_EQ(describe(none.error()).find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::db::testing
