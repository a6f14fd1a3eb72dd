// Fails the N-th system call, SQLite's included, or the N-th statement of every operation, for each
// N until nothing fails any more. Each time the operation fails with an error that says so, or does
// not need what failed; asked again, it succeeds; and then exactly as many rows and files have come
// and gone as when nothing fails.
#include "sys/faults.h"

#include <errno.h>

#include <functional>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "db/testing/fault_vfs.h"
#include "registry/collect.h"
#include "registry/testing/disk_registry.h"
#include "registry/testing/registry_bench.h"
#include "registry/upkeep.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::registry {
namespace {

using testing::config_part;
using testing::DiskRegistry;
using testing::image_json;
using testing::index_json;
using testing::layer_part;
using testing::manifest_part;
using testing::subject_json;

constexpr std::size_t kCallsMax = 1'000;
const std::string kImages = "p/images";
const std::string kOthers = "p/others";

/// Which calls are counted, and what the one that fails tells.
enum class Fault { kStatement, kNoSpace, kInputOutput };

/// Fails one of the calls of its thread. Lives longer than the database, whose checkpoints are made
/// by a thread of their own: that one is let be.
class FailingCalls {
 public:
  void arm(std::size_t n, int error_number) {
    left_ = n;
    error_number_ = error_number;
    armed_ = true;
  }
  /// Whether the n-th call was reached.
  bool disarm() { return !std::exchange(armed_, false); }

 private:
  int decide() {
    if (std::this_thread::get_id() != thread_ || !armed_ || left_-- > 0) {
      return 0;
    }
    armed_ = false;
    return error_number_;
  }

  const std::thread::id thread_ = std::this_thread::get_id();
  std::size_t left_ = 0;
  int error_number_ = 0;
  bool armed_ = false;
  sys::ScopedFaults faults_{
      [this](std::string_view, const std::filesystem::path&) { return decide(); }};
};

/// What an operation works with: everything carries the number of the attempt, in digits of equal
/// width, so that each attempt is new and costs the same.
struct Attempt {
  explicit Attempt(std::size_t n) : number(fmt::format("{:06}", n)) {}
  [[nodiscard]] std::string config() const { return "{\"n\":\"" + number + "\"}"; }
  /// Large enough to be a file; the config is a row.
  [[nodiscard]] std::string layer() const { return number + std::string(20'000, 'l'); }
  [[nodiscard]] std::string image() const {
    return image_json(config_part(config()), {layer_part(layer())});
  }
  [[nodiscard]] std::string index() const { return index_json({manifest_part(image())}); }
  [[nodiscard]] std::string referrer() const {
    return image_json(config_part(config()), {layer_part(layer())}, subject_json(image()));
  }
  [[nodiscard]] std::string tag() const { return "t" + number; }

  std::string number;
  std::string upload{};  ///< The id of one that `prepare` has begun.
};

struct Operation {
  std::string name;
  std::function<Result<void>(DiskRegistry&, Attempt&)> prepare;
  std::function<Result<void>(DiskRegistry&, Attempt&)> run;
  /// Whether an error of a second attempt tells that the first one was done, or has ended the
  /// upload: then `again` makes what is missing.
  std::function<bool(const Error&)> settled = [](const Error&) { return false; };
  std::function<Result<void>(DiskRegistry&, Attempt&)> again = nullptr;
};

Result<void> push_contents(DiskRegistry& registry, const Attempt& attempt) {
  TRY(registry.upload(kImages, attempt.config()));
  return registry.upload(kImages, attempt.layer());
}
Result<void> push_image(DiskRegistry& registry, const Attempt& attempt) {
  TRY(push_contents(registry, attempt));
  return registry.push(kImages, attempt.tag(), attempt.image());
}
Result<void> nothing(DiskRegistry& /*registry*/, Attempt& /*attempt*/) {
  return {};
}
bool upload_has_ended(const Error& error) {
  return error.code == Code::kNotFound && error.subject == Subject::kUpload;
}
bool is_gone(const Error& error) {
  return error.code == Code::kNotFound && error.subject == Subject::kRepository;
}

class Faults : public ::testing::TestWithParam<Fault> {
 protected:
  Faults() {
    const Attempt first(999'998);
    EXPECT_TRUE(push_image(registry_, first));
    EXPECT_TRUE(registry_.upload(kOthers, "other"));
  }

  struct Outcome {
    Result<void> result;
    bool fired;
  };
  Outcome run_failing(const Operation& operation, Attempt& attempt, std::size_t n) {
    if (GetParam() == Fault::kStatement) {
      registry_.statements.fail(n);
      Result<void> result = operation.run(registry_, attempt);
      return {std::move(result), registry_.statements.stop()};
    }
    calls_.arm(n, GetParam() == Fault::kNoSpace ? ENOSPC : EIO);
    Result<void> result = operation.run(registry_, attempt);
    return {std::move(result), calls_.disarm()};
  }

  /// Only what the disk or the database says, and never as the client's mistake.
  static void expect_clean(const Error& error) {
    EXPECT_TRUE(error.code == Code::kUnavailable ||
                (GetParam() == Fault::kInputOutput && error.code == Code::kInternal))
        << describe(error);
    EXPECT_TRUE(error.subject == Subject::kStorage || error.subject == Subject::kDatabase)
        << describe(error);
  }

  static std::string differences(const std::map<std::string, std::int64_t>& before,
                                 const std::map<std::string, std::int64_t>& after) {
    std::string text;
    for (const auto& [name, count] : after) {
      if (count != before.at(name)) {
        text += fmt::format("{} {:+} ", name, count - before.at(name));
      }
    }
    return text;
  }

  /// Staged bytes that no upload names wait for reap(), whose clock is that of the files.
  void sweep() {
    const auto stale = registry_.store->stale_uploads(std::chrono::seconds(0));
    for (const std::string& token : stale.value()) {
      const auto named = registry_.database->read([&](db::ReadSession& session) {
        return session.first("SELECT 1 FROM upload WHERE storage_token LIKE ? || '%'", {token},
                             [](const db::Row&) { return true; });
      });
      if (!named.value()) {
        EXPECT_TRUE(registry_.store->discard(token));
      }
    }
  }

  void finish(const Operation& operation, Attempt& attempt, const Result<void>& first) {
    if (first) {
      return;
    }
    expect_clean(first.error());
    Result<void> second = operation.run(registry_, attempt);
    if (!second && operation.settled(second.error())) {
      second = operation.again ? operation.again(registry_, attempt) : Result<void>();
    }
    EXPECT_TRUE(second) << describe(second.error());
  }

  void fail_everywhere(const Operation& operation) {
    Attempt clean(999'999);
    ASSERT_TRUE(operation.prepare(registry_, clean));
    auto before = registry_.census();
    ASSERT_TRUE(operation.run(registry_, clean));
    const std::string expected = differences(before, registry_.census());
    bool fired = true;
    std::size_t n = 0;
    for (; fired && n < kCallsMax; ++n) {
      SCOPED_TRACE(fmt::format("{}, call {}", operation.name, n));
      Attempt attempt(n);
      ASSERT_TRUE(operation.prepare(registry_, attempt));
      before = registry_.census();
      const Outcome outcome = run_failing(operation, attempt, n);
      fired = outcome.fired;
      EXPECT_TRUE(fired || outcome.result) << describe(outcome.result.error());
      finish(operation, attempt, outcome.result);
      sweep();
      EXPECT_EQ(differences(before, registry_.census()), expected);
      if (HasFailure()) {
        return;
      }
    }
    EXPECT_GT(n, 1U) << "nothing was made to fail";
    EXPECT_EQ(registry_.observe().find("TORN"), std::string::npos);
  }

  FailingCalls calls_;
  sys::testing::ScratchDirectory scratch_;
  FakeClock clock_{from_micros(1'800'000'000'000'000)};
  db::testing::FaultVfs vfs_;
  DiskRegistry registry_{{scratch_.path(), vfs_.name(), "this-boot"}, clock_};
};

TEST_P(Faults, UploadInOneRequest) {
  fail_everywhere({"upload", nothing, [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.upload(kImages, attempt.layer());
                   }});
}

TEST_P(Faults, UploadOfContentThatAnotherRepositoryHas) {
  fail_everywhere({"upload of known content",
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.upload(kOthers, attempt.layer());
                   },
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.upload(kImages, attempt.layer());
                   }});
}

TEST_P(Faults, StartOfAnUpload) {
  if (GetParam() != Fault::kStatement) {
    return;  // It makes no system call.
  }
  fail_everywhere({"start", nothing, [](DiskRegistry& registry, Attempt&) -> Result<void> {
                     TRY(registry.start(kImages));
                     return {};
                   }});
}

Result<void> begin(DiskRegistry& registry, Attempt& attempt) {
  attempt.upload = TRY(registry.start(kImages));
  return {};
}
Result<void> begin_with_a_chunk(DiskRegistry& registry, Attempt& attempt) {
  TRY(begin(registry, attempt));
  return registry.patch(kImages, attempt.upload, attempt.layer().substr(0, 3));
}
Result<void> upload_anew(DiskRegistry& registry, Attempt& attempt) {
  return registry.upload(kImages, attempt.layer());
}

TEST_P(Faults, FirstChunk) {
  fail_everywhere({"first chunk", begin, [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.patch(kImages, attempt.upload, "abc");
                   }});
}

TEST_P(Faults, SecondChunk) {
  fail_everywhere(
      {"second chunk", begin_with_a_chunk, [](DiskRegistry& registry, Attempt& attempt) {
         return registry.patch(kImages, attempt.upload, "def");
       }});
}

TEST_P(Faults, CommitOfAWholeUpload) {
  fail_everywhere({"put", begin,
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.put(kImages, attempt.upload, attempt.layer(), attempt.layer());
                   },
                   upload_has_ended, upload_anew});
}

TEST_P(Faults, CommitAfterAChunk) {
  fail_everywhere({"put after a chunk", begin_with_a_chunk,
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.put(kImages, attempt.upload, attempt.layer().substr(3),
                                         attempt.layer());
                   },
                   upload_has_ended, upload_anew});
}

TEST_P(Faults, CancelledUpload) {
  fail_everywhere({"cancel", begin_with_a_chunk,
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.cancel(kImages, attempt.upload);
                   },
                   upload_has_ended});
}

TEST_P(Faults, Mount) {
  fail_everywhere({"mount",
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.upload(kOthers, attempt.layer());
                   },
                   [](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     EXPECT_TRUE(TRY(registry.mount(kImages, attempt.layer(), kOthers)));
                     return {};
                   }});
}

TEST_P(Faults, ManifestUnderATag) {
  fail_everywhere({"manifest", push_contents, [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.push(kImages, attempt.tag(), attempt.image());
                   }});
}

TEST_P(Faults, TagThatMoves) {
  fail_everywhere({"move",
                   [](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(push_image(registry, attempt));
                     return registry.push(kImages, "", attempt.index());
                   },
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.push(kImages, attempt.tag(), attempt.index());
                   }});
}

TEST_P(Faults, IndexAndReferrer) {
  fail_everywhere({"index", push_image, [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.push(kImages, "", attempt.index());
                   }});
  fail_everywhere(
      {"referrer",
       [](DiskRegistry& registry, Attempt& attempt) { return push_image(registry, attempt); },
       [](DiskRegistry& registry, Attempt& attempt) {
         return registry.push(kImages, "", attempt.referrer());
       }});
}

TEST_P(Faults, DeletedManifestWithItsReferrerAndTags) {
  fail_everywhere({"delete manifest",
                   [](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(push_image(registry, attempt));
                     TRY(registry.push(kImages, "also-" + attempt.tag(), attempt.image()));
                     return registry.push(kImages, "", attempt.referrer());
                   },
                   [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.remove_manifest(kImages, attempt.image());
                   }});
}

TEST_P(Faults, DeletedTag) {
  fail_everywhere({"delete tag", push_image, [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.remove_tag(kImages, attempt.tag());
                   }});
}

TEST_P(Faults, DeletedBlob) {
  fail_everywhere({"delete blob", push_contents, [](DiskRegistry& registry, Attempt& attempt) {
                     return registry.remove_blob(kImages, attempt.layer());
                   }});
}

TEST_P(Faults, DeletedRepository) {
  const auto name = [](const Attempt& attempt) { return "p/r" + attempt.number; };
  fail_everywhere({"delete repository",
                   [&](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(registry.upload(name(attempt), attempt.config()));
                     TRY(registry.upload(name(attempt), attempt.layer()));
                     TRY(registry.push(name(attempt), "a", attempt.image()));
                     return registry.push(name(attempt), "b", attempt.index());
                   },
                   [&](DiskRegistry& registry, Attempt& attempt) {
                     return registry.remove_repository(name(attempt));
                   },
                   is_gone,
                   [](DiskRegistry& registry, Attempt&) {
                     return finish_deletions(registry.statements, registry.options, 10);
                   }});
}

TEST_P(Faults, ReapedUpload) {
  fail_everywhere({"reap",
                   [&](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(begin_with_a_chunk(registry, attempt));
                     clock_.advance(std::chrono::hours(48));
                     return {};
                   },
                   [](DiskRegistry& registry, Attempt&) -> Result<void> {
                     TRY(registry.uploads->reap(10));
                     return {};
                   }});
}

TEST_P(Faults, FoldedQuota) {
  // Only unlimited projects have a ledger.
  const auto unlimited = [](db::WriteSession& session) {
    return session.execute("UPDATE quota SET hard_limit = -1", {});
  };
  ASSERT_TRUE(registry_.database->write(unlimited));
  fail_everywhere({"fold",
                   [](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(fold_quota(registry.statements, 100));
                     return registry.upload(kImages, attempt.layer());
                   },
                   [](DiskRegistry& registry, Attempt&) -> Result<void> {
                     TRY(fold_quota(registry.statements, 100));
                     return {};
                   }});
}

/// Answers everything that is due, and removes what that leaves to remove.
Result<void> collect(DiskRegistry& registry) {
  for (;;) {
    const Collected page = TRY(review_due(registry.statements, registry.options, {}));
    EXPECT_EQ(page.problem, "");
    if (page.reviewed == 0) {
      break;
    }
  }
  TRY(remove_from_store(registry.statements, *registry.store, registry.locks, {}));
  return {};
}

class CollectionFaults : public Faults {
 protected:
  CollectionFaults() {
    registry_.options.grace = std::chrono::seconds(0);
    registry_.options.lease_override = std::chrono::seconds(100);
    clock_.advance(std::chrono::hours(48));  // All that was due for whatever reason.
    EXPECT_TRUE(collect(registry_));
  }
};

TEST_P(CollectionFaults, CollectedContent) {
  fail_everywhere({"collect contents",
                   [&](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(push_contents(registry, attempt));
                     clock_.advance(std::chrono::hours(3));
                     return {};
                   },
                   [](DiskRegistry& registry, Attempt&) { return collect(registry); }});
}

TEST_P(CollectionFaults, CollectedManifest) {
  fail_everywhere({"collect a manifest",
                   [&](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(push_image(registry, attempt));
                     TRY(registry.remove_manifest(kImages, attempt.image()));
                     clock_.advance(std::chrono::hours(3));
                     return {};
                   },
                   [](DiskRegistry& registry, Attempt&) -> Result<void> {
                     TRY(forget_trash(registry.statements, registry.options, 100));
                     return collect(registry);
                   }});
}

TEST_P(CollectionFaults, CollectedUntaggedArtifact) {
  fail_everywhere({"collect the untagged",
                   [&](DiskRegistry& registry, Attempt& attempt) -> Result<void> {
                     TRY(push_contents(registry, attempt));
                     TRY(registry.push(kImages, "", attempt.image()));
                     clock_.advance(std::chrono::hours(3));
                     return {};
                   },
                   [](DiskRegistry& registry, Attempt&) -> Result<void> {
                     TRY(collect(registry));
                     TRY(condemn_untagged(registry.statements, registry.options, {}, 100));
                     return collect(registry);
                   }});
}

INSTANTIATE_TEST_SUITE_P(Each, CollectionFaults,
                         ::testing::Values(Fault::kStatement, Fault::kNoSpace,
                                           Fault::kInputOutput));
INSTANTIATE_TEST_SUITE_P(Each, Faults,
                         ::testing::Values(Fault::kStatement, Fault::kNoSpace,
                                           Fault::kInputOutput));

}  // namespace
}  // namespace roadstead::registry
