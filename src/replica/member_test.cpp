#include "replica/member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/testing/scratch_database.h"
#include "replica/internal/replica_rows.h"
#include "replica/replica.h"

namespace roadstead::replica {
namespace {

using ::testing::SizeIs;

Replica named(const std::string& id) {
  Replica replica;
  replica.id = id;
  return replica;
}

class MemberTest : public ::testing::Test {
 protected:
  std::unique_ptr<Member> join(const std::string& host) {
    return Member::join(*database_, {host, "registry,jobs", "1.0"}, log::Logger(sink_)).value();
  }
  std::vector<Replica> living() {
    return database_->read([](db::ReadSession& session) { return living_replicas(session); })
        .value();
  }
  template <typename F>
  auto write(F&& fn) {
    return database_->write(std::forward<F>(fn)).value();
  }

  FakeClock clock_{from_micros(1'000'000'000)};
  log::Sink sink_{2, log::Format::kText, log::Level::kError, clock_};
  db::testing::ScratchDatabase database_ = db::testing::open_scratch_database(clock_);
};

TEST_F(MemberTest, IsListedAsLongAsItLives) {
  auto first = join("one");
  const auto second = join("two");
  EXPECT_THAT(living(), SizeIs(2));
  EXPECT_NE(first->id(), second->id());
  first.reset();
  ASSERT_THAT(living(), SizeIs(1));
  EXPECT_EQ(living().front().host, "two");
  EXPECT_EQ(living().front().roles, "registry,jobs");
}

TEST_F(MemberTest, OneReplicaHasATurnAndTheNextGetsItWhenItLeaves) {
  if (database_.embedded()) {
    GTEST_SKIP() << "the embedded database has one process";
  }
  auto first = join("one");
  EXPECT_TRUE(first->has_turn("work"));
  EXPECT_TRUE(first->has_turn("work"));
  {
    const auto second = join("two");
    EXPECT_FALSE(second->has_turn("work"));
    EXPECT_TRUE(second->has_turn("other work"));
    EXPECT_FALSE(first->has_turn("other work"));
  }
  first.reset();
  const auto third = join("three");
  EXPECT_TRUE(third->has_turn("work"));
}

TEST_F(MemberTest, ATurnOfADeadReplicaLapses) {
  ASSERT_TRUE(write(
      [](db::WriteSession& session) { return internal::take_turn(session, "work", "dead"); }));
  EXPECT_FALSE(write(
      [](db::WriteSession& session) { return internal::take_turn(session, "work", "alive"); }));
  clock_.advance(kSilenceMax);
  EXPECT_TRUE(write(
      [](db::WriteSession& session) { return internal::take_turn(session, "work", "alive"); }));
  // The one that was thought dead has lost it, and its heartbeat does not bring it back.
  write([](db::WriteSession& session) -> Result<bool> {
    TRY(internal::beat(session, named("dead")));
    return true;
  });
  EXPECT_FALSE(write(
      [](db::WriteSession& session) { return internal::take_turn(session, "work", "dead"); }));
}

TEST_F(MemberTest, SilenceIsDeath) {
  write([](db::WriteSession& session) -> Result<bool> {
    TRY(internal::beat(session, named("quiet")));
    return true;
  });
  const auto alive = [&] {
    return database_->read([](db::ReadSession& session) { return is_alive(session, "quiet"); })
        .value();
  };
  EXPECT_TRUE(alive());
  clock_.advance(kSilenceMax + std::chrono::seconds{1});
  EXPECT_FALSE(alive());
  EXPECT_THAT(living(), SizeIs(0));
}

}  // namespace
}  // namespace roadstead::replica
