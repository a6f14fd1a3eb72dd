#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "db/testing/scratch_server.h"
#include "registry/check.h"
#include "registry/internal/content.h"
#include "registry/internal/quota.h"
#include "registry/storage_limit.h"
#include "registry/upkeep.h"

namespace roadstead::registry {
namespace {

using db::testing::ScratchServer;
using db::testing::ServerEngine;
using internal::Held;

constexpr int kThreads = 8;

/// A limited project on a database server, in which many transactions count blobs at once. Skipped
/// where no server is given.
class QuotaServerTest : public ::testing::TestWithParam<ServerEngine> {
 protected:
  void SetUp() override {
    if (!db::testing::server_url(GetParam())) {
      GTEST_SKIP() << "no server of " << db::testing::name_of(GetParam());
    }
    server_ = std::make_unique<ScratchServer>(GetParam());
    database_ = server_->open("pool_size=24");
  }
  [[nodiscard]] ScratchServer& server() const { return *server_; }
  [[nodiscard]] db::Database& database() const { return *database_; }

  void begin(std::int64_t limit) const {
    const auto made = database().write([&](db::WriteSession& session) {
      return session.execute(
          "INSERT INTO quota (project_id, hard_limit, used, creation_time, update_time) VALUES (?, "
          "?, 0, 0, 0)",
          {kProject, limit});
    });
    ASSERT_TRUE(made) << describe(made.error());
  }
  /// Blobs that no project counts yet.
  [[nodiscard]] std::vector<Held> make_blobs(const std::vector<std::int64_t>& sizes) {
    std::vector<Held> blobs;
    const auto made = database().write([&](db::WriteSession& session) -> Result<void> {
      blobs.clear();
      for (const std::int64_t size : sizes) {
        const std::string digest = "sha256:" + std::to_string(++blobs_made_);
        blobs.push_back({BlobId{TRY(session.insert(
                             "INSERT INTO blob (digest, size, location, creation_time) VALUES (?, "
                             "?, 'inline', 0)",
                             {digest, size}))},
                         size});
      }
      return {};
    });
    EXPECT_TRUE(made) << describe(made.error());
    return blobs;
  }
  [[nodiscard]] Held make_blob(std::int64_t size) { return make_blobs({size}).front(); }

  [[nodiscard]] Result<void> push(const Held& blob) const {
    return database().write(
        [&](db::WriteSession& session) { return internal::count_blob(session, kProject, blob); });
  }
  [[nodiscard]] Result<void> remove(const Held& blob) const {
    return database().write([&](db::WriteSession& session) {
      return internal::uncount_blob(session, kProject, blob.blob, false);
    });
  }
  void set_limit(std::int64_t limit) const {
    const auto set = database().write(
        [&](db::WriteSession& session) { return set_storage_limit(session, kProject, limit); });
    EXPECT_TRUE(set) << describe(set.error());
  }
  [[nodiscard]] internal::Quota quota() const {
    return database()
        .read([](db::ReadSession& session) { return internal::read_quota(session, kProject); })
        .value();
  }
  [[nodiscard]] std::int64_t used() const { return quota().used; }
  [[nodiscard]] Usage recount() const {
    return database()
        .read([](db::ReadSession& session) { return recount_usage(session, kProject); })
        .value();
  }
  [[nodiscard]] std::size_t warnings() const {
    return server().rows("SELECT type FROM event_outbox WHERE type = 'QUOTA_WARNING'").size();
  }
  /// Until some transaction waits for another one's slice.
  [[nodiscard]] bool wait_for_a_waiter() const {
    const std::string_view sql =
        GetParam() == ServerEngine::kPostgresql
            ? "SELECT '' FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
              "current_database()"
            : "SELECT '' FROM information_schema.processlist WHERE info LIKE '%slot FOR UPDATE'";
    for (int look = 0; look < kLooksMax; ++look) {
      if (!server().rows(sql).empty()) {
        return true;
      }
      std::this_thread::yield();
    }
    return false;
  }
  /// What is left is admitted to the byte, and nothing beyond.
  void expect_exact(std::int64_t limit) {
    const Usage usage = recount();
    EXPECT_EQ(usage.counted, usage.actual);
    const std::int64_t left = limit - used();
    ASSERT_GE(left, 0);
    const auto over = push(make_blob(left + 1));
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().subject, Subject::kQuota) << describe(over.error());
    if (left > 0) {
      const auto last = push(make_blob(left));
      EXPECT_TRUE(last) << describe(last.error());
    }
    EXPECT_EQ(used(), limit);
    EXPECT_FALSE(push(make_blob(1)));
    EXPECT_EQ(recount().actual, limit);
  }

  static constexpr ProjectId kProject{7};

 private:
  static constexpr int kLooksMax = 20'000;
  std::unique_ptr<ScratchServer> server_;
  std::unique_ptr<db::Database> database_;
  int blobs_made_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Engines, QuotaServerTest,
                         ::testing::Values(ServerEngine::kPostgresql, ServerEngine::kMysql),
                         [](const auto& instance) {
                           return std::string(db::testing::name_of(instance.param));
                         });

void run_threads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back(work, number);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_P(QuotaServerTest, ManyFillAProjectToTheByte) {
  constexpr std::int64_t kSize = 1000;
  constexpr std::size_t kRoom = 400;
  begin(kSize * static_cast<std::int64_t>(kRoom));
  const auto blobs = make_blobs(std::vector<std::int64_t>(600, kSize));
  std::atomic<std::size_t> next = 0;
  std::atomic<std::size_t> admitted = 0;
  run_threads([&](int) {
    for (std::size_t i = next++; i < blobs.size(); i = next++) {
      const auto pushed = push(blobs[i]);
      admitted += pushed ? 1U : 0U;
      EXPECT_TRUE(pushed || pushed.error().subject == Subject::kQuota) << describe(pushed.error());
    }
  });
  EXPECT_EQ(admitted, kRoom);
  expect_exact(kSize * static_cast<std::int64_t>(kRoom));
  EXPECT_EQ(quota().promised, 0);
}

TEST_P(QuotaServerTest, PushesFarFromTheLimitChangeSlicesOnly) {
  begin(std::int64_t{1} << 40);
  ASSERT_TRUE(push(make_blob(1000)));
  const std::string sql = "SELECT CAST(used AS CHAR(30)) FROM quota";
  const auto before = server().rows(sql);
  for (const Held& blob : make_blobs(std::vector<std::int64_t>(50, 1000))) {
    ASSERT_TRUE(push(blob));
  }
  EXPECT_EQ(server().rows(sql), before);
  EXPECT_EQ(used(), 51'000);
  EXPECT_GT(quota().promised, 0);
}

TEST_P(QuotaServerTest, UnlimitedProjectsHaveNoSlices) {
  begin(-1);
  for (const Held& blob : make_blobs({5, 6, 7})) {
    ASSERT_TRUE(push(blob));
  }
  EXPECT_TRUE(server().rows("SELECT '' FROM quota_slice").empty());
  EXPECT_EQ(recount().counted, 18);
}

/// In the middle sessions are ended by the server, so that transactions end anywhere.
TEST_P(QuotaServerTest, RandomHistoriesStayWithinTheLimit) {
  constexpr std::int64_t kLimit = 3'000'000;
  begin(kLimit);
  std::mt19937 sizes(1);
  std::vector<std::int64_t> wanted(kThreads * 60);
  for (std::int64_t& size : wanted) {
    size = std::uniform_int_distribution<std::int64_t>(1, 40'000)(sizes);
  }
  const auto blobs = make_blobs(wanted);
  std::atomic<int> running = kThreads;
  std::thread other([&] {
    int round = 0;
    while (running > 0) {
      EXPECT_LE(used(), kLimit);
      const auto folded = fold_quota(database(), 1000);
      EXPECT_TRUE(folded || folded.error().code == Code::kUnavailable);
      if (++round % 20 == 0) {
        server().kill_sessions();
      }
    }
  });
  run_threads([&](int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    std::vector<Held> here;
    for (std::size_t i = static_cast<std::size_t>(number); i < blobs.size(); i += kThreads) {
      if (push(blobs[i])) {
        here.push_back(blobs[i]);
      }
      while (!here.empty() && random() % 3 == 0) {
        static_cast<void>(remove(here.back()));
        here.pop_back();
      }
    }
    --running;
  });
  other.join();
  expect_exact(kLimit);
}

TEST_P(QuotaServerTest, RandomHistoriesWithChangesOfTheLimit) {
  constexpr std::int64_t kLimit = 500'000;
  begin(kLimit);
  const auto blobs = make_blobs(std::vector<std::int64_t>(kThreads * 60, 2'500));
  std::atomic<int> running = kThreads;
  std::thread other([&] {
    constexpr std::array<std::int64_t, 4> kLimits{kLimit / 2, kLimit, -1, kLimit * 2};
    for (std::size_t round = 0; running > 0; ++round) {
      set_limit(kLimits.at(round % kLimits.size()));
    }
  });
  run_threads([&](int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    for (std::size_t i = static_cast<std::size_t>(number); i < blobs.size(); i += kThreads) {
      const auto pushed = push(blobs[i]);
      EXPECT_TRUE(pushed || pushed.error().subject == Subject::kQuota) << describe(pushed.error());
      if (random() % 4 == 0) {
        EXPECT_TRUE(remove(blobs[i]));
      }
    }
    --running;
  });
  other.join();
  const std::int64_t limit = recount().actual + 100'000;
  set_limit(limit);
  expect_exact(limit);
}

/// Two blobs in one transaction: it has a slice and may need the row of the quota as well.
TEST_P(QuotaServerTest, TransactionsThatChargeTwice) {
  constexpr std::int64_t kLimit = 400'000;
  begin(kLimit);
  const auto blobs = make_blobs(std::vector<std::int64_t>(500, 1000));
  std::atomic<std::size_t> next = 0;
  std::atomic<int> admitted = 0;
  run_threads([&](int) {
    for (std::size_t i = next.fetch_add(2); i < blobs.size(); i = next.fetch_add(2)) {
      const auto pushed = database().write([&](db::WriteSession& session) -> Result<void> {
        TRY(internal::count_blob(session, kProject, blobs[i]));
        return internal::count_blob(session, kProject, blobs[i + 1]);
      });
      admitted += pushed ? 2 : 0;
      EXPECT_TRUE(pushed || pushed.error().subject == Subject::kQuota) << describe(pushed.error());
    }
  });
  EXPECT_EQ(admitted, 400);
  expect_exact(kLimit);
}

TEST_P(QuotaServerTest, WhoStandsStillStopsNobody) {
  begin(std::int64_t{1} << 30);
  ASSERT_TRUE(push(make_blob(1000)));
  const Held held = make_blob(2000);
  const auto others = make_blobs(std::vector<std::int64_t>(100, 1000));
  int attempts = 0;
  const auto outcome = database().write([&](db::WriteSession& session) -> Result<void> {
    if (++attempts > 1) {
      return Error{Code::kInternal, Subject::kNone, "its session was ended", {}};
    }
    TRY(internal::count_blob(session, kProject, held));
    for (const Held& other : others) {
      EXPECT_TRUE(push(other));
      EXPECT_TRUE(remove(other));
    }
    EXPECT_EQ(used(), 1000);
    EXPECT_GT(fold_quota(database(), 1000).value(), 0U);
    // Too much whatever comes of this transaction.
    EXPECT_FALSE(push(make_blob(std::int64_t{1} << 30)));
    server().kill_sessions();
    return {};
  });
  EXPECT_FALSE(outcome);
  EXPECT_EQ(used(), 1000);
  expect_exact(std::int64_t{1} << 30);
}

/// Somebody has a slice, and all the rest is used: whether 50 bytes fit depends on how that ends.
class QuotaServerLastSliceTest : public QuotaServerTest {
 protected:
  static constexpr std::int64_t kLimit = 3200;
  static constexpr std::int64_t kShare = 99;
  /// What comes of a push of 50 bytes while a transaction has spent 60 of the last slice's 99 and
  /// ends, or fails, only when the push waits for it.
  [[nodiscard]] Result<void> push_beside(bool holder_commits) {
    begin(kLimit);
    EXPECT_TRUE(push(make_blob(1)));
    const auto blobs = make_blobs({60, kLimit - 1 - kShare, 50});
    std::future<Result<void>> waiting;
    const auto outcome = database().write([&](db::WriteSession& session) -> Result<void> {
      TRY(internal::count_blob(session, kProject, blobs[0]));
      EXPECT_TRUE(push(blobs[1])) << "it fits beside the slice";
      EXPECT_FALSE(push(make_blob(kShare + 1))) << "it fits in no case";
      waiting = std::async(std::launch::async, [&] { return push(blobs[2]); });
      EXPECT_TRUE(wait_for_a_waiter());
      return holder_commits ? Result<void>()
                            : Error{Code::kInternal, Subject::kNone, "given up", {}};
    });
    EXPECT_EQ(outcome.has_value(), holder_commits);
    return waiting.get();
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, QuotaServerLastSliceTest,
                         ::testing::Values(ServerEngine::kPostgresql, ServerEngine::kMysql),
                         [](const auto& instance) {
                           return std::string(db::testing::name_of(instance.param));
                         });

TEST_P(QuotaServerLastSliceTest, IsWaitedForAndSpent) {
  const auto pushed = push_beside(true);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().subject, Subject::kQuota);
  EXPECT_NE(pushed.error().message.find("current usage of 3.1 KiB"), std::string::npos)
      << pushed.error().message;
  EXPECT_EQ(used(), kLimit - kShare + 60);
  expect_exact(kLimit);
}

TEST_P(QuotaServerLastSliceTest, IsWaitedForAndGivenBack) {
  const auto pushed = push_beside(false);
  EXPECT_TRUE(pushed) << describe(pushed.error());
  EXPECT_EQ(used(), kLimit - kShare + 50);
  expect_exact(kLimit);
}

TEST_P(QuotaServerTest, PassingTheMarkIsOneEventEachTime) {
  begin(1'000'000);
  const auto blobs = make_blobs(std::vector<std::int64_t>(900, 1000));
  std::atomic<std::size_t> next = 0;
  const auto push_up_to = [&](std::size_t count) {
    run_threads([&](int) {
      for (std::size_t i = next++; i < count; i = next++) {
        EXPECT_TRUE(push(blobs[i]));
      }
    });
    next = count;
  };
  push_up_to(840);
  EXPECT_EQ(warnings(), 0U);
  push_up_to(880);
  EXPECT_EQ(warnings(), 1U);
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(remove(blobs[i]));
  }
  push_up_to(890);
  EXPECT_EQ(warnings(), 1U);
  ASSERT_TRUE(push(make_blob(90'000)));
  EXPECT_EQ(warnings(), 2U);
  ASSERT_TRUE(push(make_blob(1000)));
  EXPECT_EQ(warnings(), 2U);
}

TEST_P(QuotaServerTest, ALowerLimitTakesBackWhatWasPromised) {
  begin(std::int64_t{1} << 40);
  ASSERT_TRUE(push(make_blob(1000)));
  ASSERT_GT(quota().promised, 0);
  set_limit(1500);
  EXPECT_EQ(quota().promised, 0);
  EXPECT_EQ(used(), 1000);
  expect_exact(1500);
}

TEST_P(QuotaServerTest, ALimitCountsWhatWasPushedWithoutOne) {
  begin(1'000'000);
  ASSERT_TRUE(push(make_blob(1000)));
  ASSERT_GT(quota().promised, 0);
  set_limit(-1);
  ASSERT_TRUE(push(make_blob(2'000'000)));
  EXPECT_EQ(recount().counted, 2'001'000);
  set_limit(1'000'000);
  EXPECT_EQ(used(), 2'001'000);
  EXPECT_FALSE(push(make_blob(1)));
  set_limit(2'001'005);
  expect_exact(2'001'005);
}

}  // namespace
}  // namespace roadstead::registry
