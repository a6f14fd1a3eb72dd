#include "registry/upload.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/text.h"
#include "registry/blob_content.h"
#include "registry/testing/registry_bench.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::registry {
namespace {

using testing::RegistryBench;
using testing::repository;

class UploadTest : public ::testing::Test {
 protected:
  UploadTest() : project(bench.add_project("p")), who(bench.person(bench.admin)) {}

  std::unique_ptr<UploadSession> open(const std::string& id, Chunk chunk = {}) {
    auto session = bench.uploads->open(RegistryBench::push(who), repo, id, chunk);
    EXPECT_TRUE(session) << describe(session.error());
    return std::move(*session);
  }
  std::string start() {
    return bench.uploads->start(RegistryBench::push(who), repo, model::Algorithm::kSha256)
        .value()
        .id;
  }
  /// An upload that has one byte, and so a row.
  Result<std::string> stage(const auth::Principal& person) {
    const auto caller = RegistryBench::push(person);
    const std::string id = TRY(bench.uploads->start(caller, repo, model::Algorithm::kSha256)).id;
    const auto session = TRY(bench.uploads->open(caller, repo, id, {0, 1}));
    TRY(session->write(bytes_of("x")));
    TRY(session->checkpoint());
    return id;
  }
  Result<FoundBlob> find(const model::Digest& digest, bool head = false) {
    return bench.database->read([&](db::ReadSession& session) {
      return find_blob(session, RegistryBench::pull(who), repo, digest,
                       {head, bench.options.grace});
    });
  }

  RegistryBench bench;
  ProjectId project;
  auth::Principal who;
  model::RepositoryName repo = repository("p/app");
};

TEST_F(UploadTest, ChunksBecomeABlobWithALease) {
  const std::string id = start();
  {
    const auto session = open(id, {0, 3});
    ASSERT_TRUE(session->write(bytes_of("abc")));
    EXPECT_EQ(session->checkpoint().value().offset, 3U);
  }
  {
    const auto session = open(id, {3, 3});
    ASSERT_TRUE(session->write(bytes_of("def")));
    EXPECT_EQ(session->offset(), 6U);
    ASSERT_TRUE(session->commit(model::Digest::of("abcdef")));
  }
  const auto found = find(model::Digest::of("abcdef"));
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_EQ(found->size, 6);
  EXPECT_EQ(found->bytes, "abcdef");

  const Time until = bench.clock.now() + bench.options.lease();
  EXPECT_EQ(bench.number("SELECT leased_until FROM repository_blob"), to_micros(until));
  EXPECT_EQ(bench.number("SELECT due_at FROM review WHERE kind = 'repository_blob'"),
            to_micros(until));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
  EXPECT_EQ(bench.used(project), 6);
  // Nothing that an API shows came into being.
  EXPECT_EQ(bench.number("SELECT artifact_count FROM repository"), 0);
  const auto status = bench.uploads->status(RegistryBench::push(who), repo, id);
  EXPECT_EQ(status.error().code, Code::kNotFound);
}

TEST_F(UploadTest, ChunkOutOfOrderIsRefusedAndChangesNothing) {
  const std::string id = start();
  {
    const auto session = open(id, {0, 3});
    ASSERT_TRUE(session->write(bytes_of("abc")));
    ASSERT_TRUE(session->checkpoint());
  }
  for (const std::uint64_t first : {0, 2, 4}) {
    const auto session =
        bench.uploads->open(RegistryBench::push(who), repo, id, {first, std::nullopt});
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, Code::kRange);
    EXPECT_EQ(session.error().detail, "3");
  }
  EXPECT_EQ(bench.uploads->status(RegistryBench::push(who), repo, id).value().offset, 3U);
}

TEST_F(UploadTest, WrongDigestPublishesNothingAndEndsTheUpload) {
  const std::string id = start();
  {
    const auto session = open(id);
    ASSERT_TRUE(session->write(bytes_of("abc")));
    ASSERT_TRUE(session->checkpoint());
  }
  EXPECT_EQ(open(id)->commit(model::Digest::of("other")).error().code, Code::kDigestMismatch);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 0);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
  EXPECT_FALSE(bench.uploads->status(RegistryBench::push(who), repo, id));
  EXPECT_EQ(bench.uploads->running(), 0U);
}

TEST_F(UploadTest, AnAbortedRequestLeavesTheUploadAsItWas) {
  const std::string id = start();
  {
    const auto session = open(id);
    ASSERT_TRUE(session->write(bytes_of("abc")));
    ASSERT_TRUE(session->checkpoint());
  }
  ASSERT_TRUE(open(id)->write(bytes_of("lost")));  // And the client went away.
  const auto session = open(id);
  EXPECT_EQ(session->offset(), 3U);
  ASSERT_TRUE(session->write(bytes_of("def")));
  EXPECT_TRUE(session->commit(model::Digest::of("abcdef")));
}

/// With the database to itself, and with other processes at the same rows.
class SharedUploadTest : public UploadTest, public ::testing::WithParamInterface<bool> {
 protected:
  SharedUploadTest() {
    bench.options.shared_database = GetParam();
    bench.uploads =
        std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  }
};
INSTANTIATE_TEST_SUITE_P(Alone, SharedUploadTest, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Shared, SharedUploadTest, ::testing::Values(true));

TEST_P(SharedUploadTest, ALaterRequestTakesTheUploadOver) {
  const std::string id = start();
  const auto earlier = open(id);
  ASSERT_TRUE(earlier->write(bytes_of("AAAA")));
  const auto later = open(id);
  EXPECT_EQ(later->offset(), 0U);
  ASSERT_TRUE(later->write(bytes_of("bbbb")));
  EXPECT_EQ(earlier->write(bytes_of("AAAA")).error().code, Code::kConflict);
  EXPECT_EQ(earlier->checkpoint().error().code, Code::kConflict);
  EXPECT_EQ(earlier->commit(model::Digest::of("AAAA")).error().code, Code::kConflict);
  EXPECT_TRUE(later->commit(model::Digest::of("bbbb")));
}

TEST_P(SharedUploadTest, TwoWritersNeverMixBytes) {
  // Two clients write the same upload at once, again and again; whatever is published is one's own.
  for (int round = 0; round < 20; ++round) {
    const std::string id = start();
    const auto write = [&](char letter) {
      const std::string piece(1000, letter);
      auto session = bench.uploads->open(RegistryBench::push(who), repo, id, {});
      if (!session) {
        return false;
      }
      std::string all;
      for (int i = 0; i < 10; ++i) {
        if (!(*session)->write(bytes_of(piece))) {
          return false;
        }
        all += piece;
      }
      return (*session)->commit(model::Digest::of(all)).has_value();
    };
    bool first = false;
    bool second = false;
    std::thread one([&] { first = write('a'); });
    std::thread two([&] { second = write('b'); });
    one.join();
    two.join();
    EXPECT_TRUE(first || second);
    const auto a = find(model::Digest::of(std::string(10'000, 'a')));
    const auto b = find(model::Digest::of(std::string(10'000, 'b')));
    EXPECT_TRUE(!first || a);
    EXPECT_TRUE(!second || b);
    EXPECT_LE(bench.number("SELECT COUNT(*) FROM blob"), 2);
  }
  EXPECT_EQ(bench.uploads->running(), 0U);
}

TEST_P(SharedUploadTest, ARequestGoesOnWhereTheOneBeforeEnded) {
  const std::string id = start();
  for (const std::string_view piece : {"abc", "def", "ghi"}) {
    const auto session = open(id);
    ASSERT_TRUE(session->write(bytes_of(piece)));
    ASSERT_TRUE(session->checkpoint());
  }
  EXPECT_TRUE(open(id)->commit(model::Digest::of("abcdefghi")));
}

TEST_F(UploadTest, AnotherProcessTakesTheUploadOver) {
  bench.options.shared_database = true;
  Uploads one(bench.database.get(), *bench.store, bench.locks, bench.options);
  Uploads other(bench.database.get(), *bench.store, bench.locks, bench.options);
  const std::string id = stage(who).value();
  const auto earlier = one.open(RegistryBench::push(who), repo, id, {}).value();
  ASSERT_TRUE(earlier->write(bytes_of("AAAA")));
  const auto later = other.open(RegistryBench::push(who), repo, id, {}).value();
  ASSERT_TRUE(later->write(bytes_of("bbbb")));
  EXPECT_EQ(earlier->checkpoint().error().code, Code::kConflict);
  EXPECT_TRUE(later->commit(model::Digest::of("xbbbb")));
}

TEST_F(UploadTest, TwoProcessesNeverMixTheFirstBytesOfAnUpload) {
  bench.options.shared_database = true;
  Uploads one(bench.database.get(), *bench.store, bench.locks, bench.options);
  Uploads other(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto caller = RegistryBench::push(who);
  const std::string id = one.start(caller, repo, model::Algorithm::kSha256).value().id;
  const auto first = one.open(caller, repo, id, {}).value();
  const auto second = other.open(caller, repo, id, {}).value();
  const auto third = other.open(caller, repo, id, {}).value();
  ASSERT_TRUE(first->write(bytes_of("AAAA")));
  EXPECT_FALSE(second->write(bytes_of("bbbb"))) << "taken over inside its process";
  ASSERT_TRUE(third->write(bytes_of("cccc")));
  ASSERT_TRUE(first->checkpoint());
  EXPECT_EQ(third->checkpoint().error().code, Code::kConflict);

  const auto last = other.open(caller, repo, id, {4, 3}).value();
  ASSERT_TRUE(last->write(bytes_of("BBB")));
  EXPECT_TRUE(last->commit(model::Digest::of("AAAABBB")));
  EXPECT_EQ(other.status(caller, repo, id).error().code, Code::kNotFound);
}

TEST_F(UploadTest, TheCommitOfOneProcessEndsTheUploadForAll) {
  bench.options.shared_database = true;
  Uploads one(bench.database.get(), *bench.store, bench.locks, bench.options);
  Uploads other(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto caller = RegistryBench::push(who);
  const std::string id = one.start(caller, repo, model::Algorithm::kSha256).value().id;
  const auto first = one.open(caller, repo, id, {}).value();
  const auto second = other.open(caller, repo, id, {std::nullopt, std::nullopt, true}).value();
  ASSERT_TRUE(first->write(bytes_of("AAAA")));
  ASSERT_TRUE(first->checkpoint());
  ASSERT_TRUE(second->write(bytes_of("bb")));
  EXPECT_TRUE(second->commit(model::Digest::of("bb")));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
}

TEST_F(UploadTest, AnAnnouncedUploadCostsNoRow) {
  const auto commits = bench.database->statistics().commits;
  const std::string id = start();
  EXPECT_EQ(bench.database->statistics().commits, commits);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository"), 0);
  // Known to any process with the same key, also after a restart.
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  EXPECT_EQ(bench.uploads->status(RegistryBench::push(who), repo, id).value().offset, 0U);
  const auto session = open(id);
  ASSERT_TRUE(session->write(bytes_of("abc")));
  EXPECT_TRUE(session->commit(model::Digest::of("abc")));
  EXPECT_EQ(bench.uploads->open(RegistryBench::push(who), repo, id, {}).error().code,
            Code::kNotFound);
}

TEST_F(UploadTest, AnAnnouncedUploadCanBeCancelled) {
  const std::string id = start();
  ASSERT_TRUE(bench.uploads->cancel(RegistryBench::push(who), repo, id));
  EXPECT_EQ(bench.uploads->status(RegistryBench::push(who), repo, id).error().code,
            Code::kNotFound);
  EXPECT_EQ(bench.uploads->open(RegistryBench::push(who), repo, id, {}).error().code,
            Code::kNotFound);
}

TEST_F(UploadTest, AnIdThatNobodyWasGivenIsUnknown) {
  const std::string id = start();
  const auto code = [&](const std::string& text) {
    const auto status = bench.uploads->status(RegistryBench::push(who), repo, text);
    return status ? Code::kInternal : status.error().code;
  };
  for (std::size_t i = 0; i < id.size(); ++i) {
    std::string other = id;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_EQ(code(other), Code::kNotFound) << other;
  }
  std::string upper = id;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return std::toupper(c); });
  if (upper != id) {
    EXPECT_EQ(code(upper), Code::kNotFound) << "one upload, one id";
  }
  EXPECT_EQ(code(""), Code::kNotFound);
  EXPECT_EQ(code(id + "-"), Code::kNotFound);
}

TEST_F(UploadTest, GoesOnAfterARestart) {
  const std::string id = start();
  {
    const auto session = open(id);
    ASSERT_TRUE(session->write(bytes_of("abc")));
    ASSERT_TRUE(session->checkpoint());
  }
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto session = open(id, {3, 3});
  ASSERT_TRUE(session->write(bytes_of("def")));
  EXPECT_TRUE(session->commit(model::Digest::of("abcdef")));
}

TEST_F(UploadTest, StagedBytesAreVoidAfterAnotherBoot) {
  const std::string id = start();
  const std::string fresh = start();
  {
    const auto session = open(id);
    ASSERT_TRUE(session->write(bytes_of("abc")));
    ASSERT_TRUE(session->checkpoint());
  }
  bench.options.boot_id = "another-boot";
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  EXPECT_EQ(bench.uploads->open(RegistryBench::push(who), repo, id, {}).error().code,
            Code::kNotFound);
  EXPECT_TRUE(open(fresh)->commit(model::Digest::of("")));  // Nothing staged, nothing lost.
}

TEST_F(UploadTest, CancelEndsItAlsoUnderARunningRequest) {
  const std::string id = start();
  const auto session = open(id);
  ASSERT_TRUE(session->write(bytes_of("abc")));
  ASSERT_TRUE(bench.uploads->cancel(RegistryBench::push(who), repo, id));
  EXPECT_FALSE(session->write(bytes_of("def")));
  EXPECT_FALSE(session->commit(model::Digest::of("abc")));
  EXPECT_EQ(bench.uploads->cancel(RegistryBench::push(who), repo, id).error().code,
            Code::kNotFound);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 0);
}

TEST_F(UploadTest, ExpiresAndIsReaped) {
  const std::string announced = start();
  const std::string id = stage(who).value();
  bench.clock.advance(bench.options.upload_lifetime);
  EXPECT_EQ(bench.uploads->status(RegistryBench::push(who), repo, id).error().code,
            Code::kNotFound);
  EXPECT_EQ(bench.uploads->status(RegistryBench::push(who), repo, announced).error().code,
            Code::kNotFound);
  EXPECT_EQ(bench.uploads->reap(10).value(), 1U);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
}

TEST_F(UploadTest, ARowOfAnEarlierVersionWithoutBytesIsReaped) {
  const std::string id = stage(who).value();
  bench.execute(
      "UPDATE upload SET storage_token = 'new:sha256', content = NULL, byte_offset = 0 WHERE id = "
      "?",
      {id});
  bench.clock.advance(bench.options.upload_lifetime);
  EXPECT_EQ(bench.uploads->reap(10).value(), 1U);
}

TEST_F(UploadTest, AnUploadBelongsToItsRepository) {
  const std::string id = start();
  EXPECT_EQ(bench.uploads->status(RegistryBench::push(who), repository("p/other"), id).error().code,
            Code::kNotFound);
}

TEST_F(UploadTest, OpenUploadsAreLimitedAndIdleOnesGiveWay) {
  for (std::int64_t i = 0; i < bench.options.uploads_per_identity_max; ++i) {
    ASSERT_TRUE(stage(who));
  }
  // Told before the first byte of the chunk.
  const auto refused = bench.uploads->open(RegistryBench::push(who), repo, start(), {0, 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRateLimited);
  // An upload that ends with its first request never is an open one.
  EXPECT_TRUE(bench.uploads->open(RegistryBench::push(who), repo, start(), {0, 1, true}));
  bench.clock.advance(bench.options.upload_idle);
  // The one that somebody writes to does not give way, however old it is.
  const std::string busy = "SELECT id FROM upload ORDER BY expires_at, id LIMIT 1";
  const auto id = bench.database
                      ->read([&](db::ReadSession& session) {
                        return session.first(
                            busy, {}, [](const db::Row& row) { return std::string(row.text(0)); });
                      })
                      .value()
                      .value();
  const auto session = open(id);
  bench.execute("UPDATE upload SET expires_at = expires_at - 60000000 WHERE id = ?", {id});
  ASSERT_TRUE(stage(who));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload WHERE id = ?", {id}), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), bench.options.uploads_per_identity_max);
}

TEST_F(UploadTest, ProjectLimitCountsEveryIdentity) {
  bench.options.uploads_per_project_max = 3;
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  for (int i = 0; i < 4; ++i) {
    const auto other = bench.person(bench.add_user("u" + std::to_string(i), true));
    EXPECT_EQ(stage(other).has_value(), i < 3);
  }
}

TEST_F(UploadTest, OneRequestIsEnough) {
  const auto wanted = model::Digest::of("abc", model::Algorithm::kSha512);
  auto session =
      bench.uploads->open_single(RegistryBench::push(who), repo, model::Algorithm::kSha512, 3);
  ASSERT_TRUE(session);
  ASSERT_TRUE((*session)->write(bytes_of("abc")));
  ASSERT_TRUE((*session)->commit(wanted));
  EXPECT_TRUE(find(wanted));
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM upload"), 0);
}

TEST_F(UploadTest, ADigestOfAnotherAlgorithmIsWhatIsStored) {
  const std::string id = start();
  const auto session = open(id);
  ASSERT_TRUE(session->write(bytes_of("abc")));
  const auto wide = model::Digest::of("abc", model::Algorithm::kSha512);
  ASSERT_TRUE(session->commit(wide));
  EXPECT_TRUE(find(wide));
  EXPECT_FALSE(find(model::Digest::of("abc")));
}

TEST_F(UploadTest, EqualContentIsOneBlobAndCountsOnce) {
  bench.put_blob("p/app", "same");
  bench.put_blob("p/app", "same");
  bench.put_blob("p/other", "same");
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob"), 1);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob"), 2);
  EXPECT_EQ(bench.used(project), 4);
}

TEST_F(UploadTest, QuotaIsExact) {
  bench.set_quota(project, 10);
  bench.put_blob("p/app", "12345");
  bench.put_blob("p/app", "67890");
  EXPECT_EQ(bench.used(project), 10);
  const auto over = bench.try_blob(who, "p/app", "x");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kDenied);
  EXPECT_EQ(over.error().subject, Subject::kQuota);
  // What the project has already costs nothing, even when it is full.
  bench.set_quota(project, -1);
  bench.set_quota(project, 20);
  EXPECT_TRUE(bench.try_blob(who, "p/again", "12345"));
  EXPECT_EQ(bench.used(project), 10);
}

TEST_F(UploadTest, WhatAServerPromisedIsRoomInACopy) {
  bench.set_quota(project, 20);
  bench.put_blob("p/app", "1");
  bench.execute("INSERT INTO quota_slice (project_id, slot, headroom) VALUES (?, 0, 8)", {project});
  bench.execute("UPDATE quota SET used = used + 8 WHERE project_id = ?", {project});
  EXPECT_EQ(bench.used(project), 1);
  bench.put_blob("p/app", "23");
  bench.put_blob("p/app", "45678901234567890");
  EXPECT_EQ(bench.used(project), 20);
  const auto over = bench.try_blob(who, "p/app", "x");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().subject, Subject::kQuota);
  EXPECT_EQ(bench.number("SELECT SUM(headroom) FROM quota_slice"), 0);
}

TEST_F(UploadTest, PassingEightyFivePercentOfTheQuotaIsAnEvent) {
  const auto warnings = [&] {
    return bench.number("SELECT COUNT(*) FROM event_outbox WHERE type = 'QUOTA_WARNING'");
  };
  bench.set_quota(project, 1000);
  bench.put_blob("p/app", std::string(840, 'a'));
  EXPECT_EQ(warnings(), 0);
  bench.put_blob("p/app", std::string(20, 'b'));
  EXPECT_EQ(warnings(), 1);
  bench.put_blob("p/app", std::string(21, 'c'));
  EXPECT_EQ(warnings(), 1) << "once each time it is passed";
}

TEST_F(UploadTest, StagedBytesCountAgainstTheQuota) {
  bench.set_quota(project, 10);
  const std::string id = start();
  {
    const auto session = open(id, {0, 8});
    ASSERT_TRUE(session->write(bytes_of("12345678")));
    ASSERT_TRUE(session->checkpoint());
  }
  const std::string second = start();
  const auto refused = bench.uploads->open(RegistryBench::push(who), repo, second, {0, 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().subject, Subject::kQuota);
  EXPECT_TRUE(bench.uploads->open(RegistryBench::push(who), repo, second, {0, 2}));
}

/// Before it is imported no row names it, but it is not what the upload published.
TEST_F(UploadTest, ARefusedUploadLeavesWhatAnotherRegistryHad) {
  const sys::testing::ScratchDirectory directory;
  const std::string content(kInlineMax + 1, 'x');
  const auto digest = model::Digest::of(content);
  const auto file = directory.path() / "docker/registry/v2/blobs/sha256" /
                    digest.hex().substr(0, 2) / digest.hex() / "data";
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << content;
  bench.uploads.reset();
  bench.store = storage::open_filesystem_store(directory.path()).value();
  bench.uploads =
      std::make_unique<Uploads>(bench.database.get(), *bench.store, bench.locks, bench.options);
  const std::string id = start();
  const auto session = open(id, {0, content.size()});
  ASSERT_TRUE(session->write(bytes_of(content)));
  bench.set_quota(project, 10);
  const auto refused = session->commit(digest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().subject, Subject::kQuota);
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(UploadTest, UploadingRevivesACondemnedBlobAndMovesTheLeaseLater) {
  bench.put_blob("p/app", "abc");
  const std::int64_t before = bench.number("SELECT leased_until FROM repository_blob");
  bench.execute("UPDATE repository_blob SET condemned_at = ?", {bench.clock.now()});
  bench.clock.advance(std::chrono::hours(5));
  bench.put_blob("p/app", "abc");
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository_blob WHERE condemned_at IS NULL"), 1);
  EXPECT_GT(bench.number("SELECT leased_until FROM repository_blob"), before);
}

TEST_F(UploadTest, HeadTellsOfACondemnedBlobForHalfTheGracePeriod) {
  const auto digest = bench.put_blob("p/app", "abc");
  bench.execute("UPDATE repository_blob SET condemned_at = ?", {bench.clock.now()});
  bench.clock.advance(bench.options.grace / 2 - std::chrono::seconds(1));
  EXPECT_TRUE(find(digest, true));
  bench.clock.advance(std::chrono::seconds(1));
  EXPECT_FALSE(find(digest, true));
  EXPECT_TRUE(find(digest, false));
}

TEST_F(UploadTest, MountNeedsToBeAllowedToPull) {
  const auto digest = bench.put_blob("p/app", "abc");
  const ProjectId mine = bench.add_project("mine");
  const UserId user = bench.add_user("u");
  bench.add_member(mine, user, auth::Role::kDeveloper);
  const auto u = bench.person(user);
  const auto target = repository("mine/app");
  const auto mount = [&](const std::optional<model::RepositoryName>& from) {
    return bench.uploads->mount(RegistryBench::push(u), target, digest, from).value();
  };
  EXPECT_FALSE(mount(repo));
  EXPECT_FALSE(mount(std::nullopt));
  EXPECT_FALSE(mount(repository("nowhere/at-all")));
  EXPECT_EQ(bench.used(mine), 0);
  bench.add_member(project, user, auth::Role::kGuest);
  EXPECT_FALSE(mount(repository("p/other")));
  EXPECT_TRUE(mount(repo));
  EXPECT_EQ(bench.used(mine), 3);
  bench.execute("DELETE FROM repository_blob WHERE project_id = ?", {mine});
  EXPECT_TRUE(mount(std::nullopt));
}

TEST_F(UploadTest, MountByTokenStaysWithinItsScopes) {
  const auto digest = bench.put_blob("p/app", "abc");
  auth::Principal token = who;
  token.credential_version.reset();
  token.token_issued_at = bench.clock.now();
  token.scopes = {{"p/to", true, true, false, project}};
  const auto mount = [&](const std::optional<model::RepositoryName>& from) {
    return bench.uploads->mount(RegistryBench::push(token), repository("p/to"), digest, from)
        .value();
  };
  EXPECT_FALSE(mount(repo));
  EXPECT_FALSE(mount(std::nullopt));
  token.scopes->push_back({"p/app", true, false, false, project});
  EXPECT_TRUE(mount(std::nullopt));
}

TEST_F(UploadTest, FullStoreRefusesUploads) {
  bench.options.free_space_floor = ByteCount{UINT64_MAX};
  Uploads full(bench.database.get(), *bench.store, bench.locks, bench.options);
  const auto upload = full.start(RegistryBench::push(who), repo, model::Algorithm::kSha256);
  const auto room = bench.store->free_space();
  ASSERT_TRUE(room);
  if (room->has_value()) {
    EXPECT_EQ(upload.error().code, Code::kUnavailable);
  } else {
    EXPECT_TRUE(upload);
  }
}

TEST_F(UploadTest, OthersMayNotPush) {
  const auto stranger = bench.person(bench.add_user("stranger"));
  const auto upload =
      bench.uploads->start(RegistryBench::push(stranger), repo, model::Algorithm::kSha256);
  ASSERT_FALSE(upload);
  EXPECT_EQ(upload.error().code, Code::kDenied);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM repository"), 0);
  const auto nowhere = bench.uploads->start(RegistryBench::push(who), repository("none/app"),
                                            model::Algorithm::kSha256);
  EXPECT_EQ(nowhere.error().subject, Subject::kProject);
}

}  // namespace
}  // namespace roadstead::registry
