#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "db/migration.h"
#include "db/server.h"
#include "db/testing/scratch_server.h"

namespace roadstead::db {
namespace {

using testing::name_of;
using testing::ScratchServer;
using testing::server_url;
using testing::ServerEngine;
using namespace std::chrono_literals;

constexpr std::string_view kInsertProperty =
    "INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)";

Result<void> put(WriteSession& session, std::string_view name, std::string_view value) {
  TRY(session.execute(kInsertProperty, {name, value, session.now()}));
  return {};
}

Result<void> put(Database& database, std::string_view name, std::string_view value) {
  return database.write([&](WriteSession& session) { return put(session, name, value); });
}

Result<std::optional<std::string>> get(ReadSession& session, std::string_view name) {
  return session.first("SELECT value FROM property WHERE name = ?", {name},
                       [](const Row& row) { return std::string(row.text(0)); });
}

std::optional<std::string> get(Database& database, std::string_view name) {
  return database.read([&](ReadSession& session) { return get(session, name); }).value();
}

/// What each engine's server promises of the port. Skipped where no server is given.
class ServerDatabaseTest : public ::testing::TestWithParam<ServerEngine> {
 protected:
  void SetUp() override {
    if (!server_url(GetParam())) {
      GTEST_SKIP() << "no server: its URL is not in ROADSTEAD_TEST_"
                   << (postgresql() ? "POSTGRESQL" : "MYSQL") << "_URL";
    }
    server_ = std::make_unique<ScratchServer>(GetParam());
  }
  /// Leaves no table, for tests of what makes them.
  void begin_without_tables() { server_->remove_tables(); }
  static bool postgresql() { return GetParam() == ServerEngine::kPostgresql; }
  [[nodiscard]] ScratchServer& server() const { return *server_; }

  /// With a table `v (id, n, t, b)` whose columns take null.
  std::unique_ptr<Database> database_with_values() {
    auto database = server().open();
    const Dialect& dialect = postgresql() ? postgresql_dialect() : mysql_dialect(true);
    const auto statements =
        render("CREATE TABLE v (id {id}, n {int}, t {text}, b {bytes});\n", dialect);
    server().run(statements.value().front());
    return database;
  }

 private:
  std::unique_ptr<ScratchServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Engines, ServerDatabaseTest,
                         ::testing::Values(ServerEngine::kPostgresql, ServerEngine::kMysql),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

Result<std::int64_t> insert_value(Database& database, const Param& number, const Param& text,
                                  const Param& bytes) {
  return database.write([&](WriteSession& session) {
    return session.insert("INSERT INTO v (n, t, b) VALUES (?, ?, ?)", {number, text, bytes});
  });
}

struct Value {
  bool null_number, null_text, null_bytes;
  std::int64_t number;
  std::string text, bytes;
  bool operator==(const Value&) const = default;
};

Value value_at(Database& database, std::int64_t id) {
  return database
      .read([&](ReadSession& session) {
        return session.first("SELECT n, t, b FROM v WHERE id = ?", {id}, [](const Row& row) {
          return Value{row.is_null(0), row.is_null(1),           row.is_null(2),
                       row.integer(0), std::string(row.text(1)), std::string(row.text(2))};
        });
      })
      .value()
      .value();
}

TEST_P(ServerDatabaseTest, ValuesComeBack) {
  const auto database = database_with_values();
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) {
    all_bytes += static_cast<char>(i);
  }
  const std::string text = "It's \\n \"quoted\" \xc3\xa4 \xf0\x9f\x9a\xa2 ? %s $1";
  for (const std::int64_t number : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                    std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
    const auto id = insert_value(*database, number, text, std::as_bytes(std::span(all_bytes)));
    ASSERT_TRUE(id) << describe(id.error());
    EXPECT_EQ(value_at(*database, *id), (Value{false, false, false, number, text, all_bytes}));
  }
}

TEST_P(ServerDatabaseTest, NullAndEmptyDiffer) {
  const auto database = database_with_values();
  const auto null = insert_value(*database, std::optional<int>(), nullptr, nullptr);
  EXPECT_EQ(value_at(*database, null.value()), (Value{true, true, true, 0, "", ""}));
  const auto empty = insert_value(*database, 0, std::string_view(), std::span<const std::byte>());
  EXPECT_EQ(value_at(*database, empty.value()), (Value{false, false, false, 0, "", ""}));
}

TEST_P(ServerDatabaseTest, LargeValues) {
  const auto database = database_with_values();
  const std::string large(4U << 20U, '\x07');
  const auto id = insert_value(*database, 1, large, std::as_bytes(std::span(large)));
  ASSERT_TRUE(id) << describe(id.error());
  const Value value = value_at(*database, *id);
  EXPECT_TRUE(value.text == large);
  EXPECT_TRUE(value.bytes == large);
}

TEST_P(ServerDatabaseTest, SumsAreNumbers) {
  const auto database = database_with_values();
  constexpr std::int64_t kLarge = 4'000'000'000'000'000'000;
  ASSERT_TRUE(insert_value(*database, kLarge, nullptr, nullptr));
  ASSERT_TRUE(insert_value(*database, -5, nullptr, nullptr));
  const auto sums = database->read([](ReadSession& session) {
    return session.first(
        "SELECT SUM(n), SUM(CASE WHEN n < ? THEN n ELSE ? END), COUNT(*), SUM(n) FROM v WHERE n > ?"
        " AND n <> 1",
        {0, 0, -100}, [](const Row& row) {
          return std::array{row.integer(0), row.integer(1), row.integer(2), row.integer(3)};
        });
  });
  EXPECT_EQ(sums.value().value(), (std::array<std::int64_t, 4>{kLarge - 5, -5, 2, kLarge - 5}));
}

TEST_P(ServerDatabaseTest, NamesAreComparedByteByByte) {
  const auto database = server().open();
  for (const char* name : {"b", "A", "a", "a ", "B", "\xc3\xa4", "a-", "a.", "a/"}) {
    ASSERT_TRUE(put(*database, name, name)) << name;
  }
  const auto names = database->read([](ReadSession& session) {
    return session.all("SELECT name FROM property WHERE name >= ? ORDER BY name LIMIT 20", {"A"},
                       [](const Row& row) { return std::string(row.text(0)); });
  });
  EXPECT_EQ(names.value(),
            (std::vector<std::string>{"A", "B", "a", "a ", "a-", "a.", "a/", "b", "\xc3\xa4"}));
  EXPECT_EQ(get(*database, "a "), "a ");
  EXPECT_EQ(get(*database, "a"), "a");
}

TEST_P(ServerDatabaseTest, RowsAreComparedInOrder) {
  const auto database = database_with_values();
  for (const int n : {2, 1, 2, 1, 3}) {
    ASSERT_TRUE(insert_value(*database, n, nullptr, nullptr));
  }
  const auto page = [&](std::string_view operation) {
    const std::string sql = "SELECT id FROM v WHERE (n, id) " + std::string(operation) +
                            " (?, ?) ORDER BY n, id LIMIT 9";
    return database
        ->read([&](ReadSession& session) {
          return session.all(sql, {2, 1}, [](const Row& row) { return row.integer(0); });
        })
        .value();
  };
  EXPECT_EQ(page(">"), (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(page(">="), (std::vector<std::int64_t>{1, 3, 5}));
  EXPECT_EQ(page("<"), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(page("<="), (std::vector<std::int64_t>{2, 4, 1}));
}

TEST_P(ServerDatabaseTest, IdsRiseAndMatchedRowsCount) {
  const auto database = database_with_values();
  EXPECT_EQ(insert_value(*database, 1, nullptr, nullptr).value(), 1);
  EXPECT_EQ(insert_value(*database, 2, nullptr, nullptr).value(), 2);
  const auto change = [&](std::string_view sql) {
    return database->write([&](WriteSession& session) { return session.execute(sql, {}); }).value();
  };
  EXPECT_EQ(change("UPDATE v SET n = 3"), 2);
  EXPECT_EQ(change("UPDATE v SET n = 3"), 2) << "rows that were so before count, too";
  EXPECT_EQ(change("DELETE FROM v WHERE id = 2"), 1);
  EXPECT_EQ(change("DELETE FROM v WHERE id = 2"), 0);
  EXPECT_EQ(insert_value(*database, 3, nullptr, nullptr).value(), 3)
      << "the highest id was deleted and must not come back";
}

TEST_P(ServerDatabaseTest, ViolationsAreConflictsThatNameTheirConstraint) {
  const auto database = server().open();
  ASSERT_TRUE(put(*database, "a", "first"));
  const auto again = put(*database, "a", "s3cret");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_EQ(again.error().subject, Subject::kDatabase);
  EXPECT_FALSE(again.error().detail.empty());
  EXPECT_EQ(describe(again.error()).find("s3cret"), std::string::npos);
  const auto key = database->write([](WriteSession& session) {
    return session.execute("INSERT INTO project_blob (project_id, blob_id) VALUES (?, ?)", {1, 1});
  });
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kConflict);
  EXPECT_NE(key.error().detail.find("project_blob"), std::string::npos) << key.error().detail;
  EXPECT_EQ(get(*database, "a"), "first");
}

TEST_P(ServerDatabaseTest, TextThatIsNoneIsInvalid) {
  const auto database = database_with_values();
  const auto bad = insert_value(*database, 1, "\xff\xfe", nullptr);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInvalid);
  const std::string long_name(300, 'x');
  const auto too_long = put(*database, long_name, "");
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Code::kInvalid);
}

TEST_P(ServerDatabaseTest, DefectsAreInternal) {
  const auto database = database_with_values();
  const auto code = [&](std::string_view sql, std::initializer_list<Param> params) {
    const auto result = database->write([&](WriteSession& s) { return s.execute(sql, params); });
    return result ? Code::kInvalid : result.error().code;
  };
  EXPECT_EQ(code("SELEKT 1", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT n FROM v WHERE n = ?", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT n FROM v WHERE n = ?", {1, 2}), Code::kInternal);
  EXPECT_EQ(code("SELECT 1; SELECT 2", {}), Code::kInternal);
  EXPECT_EQ(code("SELECT \"no_such_column\" FROM v", {}), Code::kInternal);
  EXPECT_EQ(code("INSERT INTO property (name) VALUES (?)", {nullptr}), Code::kInternal);
  EXPECT_TRUE(put(*database, "later", "1")) << "the connection is as good as before";
  EXPECT_EQ(database->statistics().connection_losses, 0U);
}

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
    std::this_thread::sleep_for(2ms);
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
    std::this_thread::sleep_for(100ms);
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
}  // namespace roadstead::db
