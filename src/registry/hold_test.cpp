#include "registry/hold.h"

#include <gtest/gtest.h>

#include "registry/blob_content.h"
#include "registry/collect.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::registry {
namespace {

using std::chrono::seconds;
using testing::RegistryBench;

class HoldTest : public ::testing::Test {
 protected:
  std::string take(seconds duration) {
    return bench.database.get()
        .write([&](db::WriteSession& session) { return take_hold(session, "the test", duration); })
        .value();
  }
  Result<void> renew(const std::string& id, seconds duration) {
    return bench.database.get().write(
        [&](db::WriteSession& session) { return renew_hold(session, id, duration); });
  }
  bool held() {
    return bench.database.get().read([](db::ReadSession& s) { return any_hold(s); }).value();
  }

  RegistryBench bench;
};

TEST_F(HoldTest, HoldsUntilItIsReleased) {
  EXPECT_FALSE(held());
  const std::string first = take(seconds(60));
  const std::string second = take(seconds(60));
  EXPECT_NE(first, second);
  const auto release = [&](const std::string& id) {
    ASSERT_TRUE(bench.database.get().write(
        [&](db::WriteSession& session) { return release_hold(session, id); }));
  };
  release(first);
  EXPECT_TRUE(held());  // Each counts for itself.
  release(second);
  EXPECT_FALSE(held());
  release(second);
}

TEST_F(HoldTest, AnAbandonedHoldEndsByItself) {
  take(seconds(60));
  bench.clock.advance(seconds(60));
  EXPECT_FALSE(held());
  take(seconds(60));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM collection_hold"), 1);
}

TEST_F(HoldTest, RenewalExtendsWhatLivesAndNothingElse) {
  const std::string id = take(seconds(60));
  bench.clock.advance(seconds(50));
  ASSERT_TRUE(renew(id, seconds(60)));
  bench.clock.advance(seconds(50));
  EXPECT_TRUE(held());
  bench.clock.advance(seconds(10));
  // The collector may have been at work: to go on as if nothing had happened would lose content.
  const auto late = renew(id, seconds(60));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kNotFound);
  EXPECT_FALSE(held());
}

TEST_F(HoldTest, NobodyHoldsForLongerThanTheLimit) {
  const std::string id = take(kHoldMax * 100);
  ASSERT_TRUE(renew(id, kHoldMax * 100));
  bench.clock.advance(kHoldMax);
  EXPECT_FALSE(held());
}

TEST_F(HoldTest, NothingIsRemovedMeanwhileAndEverythingAfterwards) {
  bench.add_project("p");
  bench.put_blob("p/app", std::string(kInlineMax + 1, 'a'));
  const auto deleted = bench.put_blob("p/app", std::string(kInlineMax + 1, 'b'));
  const auto who = bench.person(bench.admin);
  ASSERT_TRUE(delete_blob(bench.database.get(), bench.options, RegistryBench::remove(who),
                          testing::repository("p/app"), deleted));
  const auto collect = [&] {
    bench.clock.advance(bench.options.lease() + bench.options.grace + seconds(61));
    EXPECT_TRUE(review_due(bench.database.get(), bench.options, {}));
  };
  const auto hold_on = [&] {
    const std::string id = take(kHoldMax);
    EXPECT_TRUE(review_due(bench.database.get(), bench.options, {}));
    EXPECT_TRUE(bench.database.get().write(
        [&](db::WriteSession& session) { return release_hold(session, id); }));
  };
  bench.clock.advance(bench.options.lease() + bench.options.grace + seconds(61));
  hold_on();
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob WHERE condemned_at IS NOT NULL"), 1);
  bench.clock.advance(bench.options.grace + seconds(61));
  hold_on();
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 2);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 0);
  collect();
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM deleting"), 2);
}

}  // namespace
}  // namespace roadstead::registry
