#include "storage/s3_tree.h"

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/text.h"
#include "storage/internal/s3_context.h"
#include "storage/testing/s3_server.h"
#include "sys/process.h"

namespace roadstead::storage::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const S3Server& the_double() {
  static const std::unique_ptr<S3Server> server = S3Server::start_double();
  return *server;
}

const S3Server* the_real_one() {
  static const std::unique_ptr<S3Server> server = S3Server::start_real();
  return server.get();
}

/// Each test has a prefix of its own.
class S3TreeTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const S3Server* const server = GetParam() == "double" ? &the_double() : the_real_one();
    if (server == nullptr) {
      GTEST_SKIP() << kNoRealServer;
    }
    if (GetParam() == "double") {
      server->control("/__reset", "{}");
    }
    options_ = server->options(sys::random_uuid());
    tree_.emplace(options_);
  }
  /// Below the prefix.
  void put(const std::string& path, std::string content = "x") const {
    internal::S3Context context(options_);
    const auto done = context.put(options_.prefix + path, internal::S3Body::of(std::move(content)));
    ASSERT_TRUE(done) << done.error().message;
  }
  /// All pages; every name once.
  std::set<std::string> folders(const std::string& folder, std::size_t count) {
    std::set<std::string> all;
    std::string cursor;
    for (int pages = 0; pages < 1'000; ++pages) {
      const auto page = tree_->folders(folder, cursor, count);
      EXPECT_TRUE(page) << describe(page.error());
      if (!page) {
        return all;
      }
      EXPECT_LE(page->names.size(), count);
      for (const std::string& name : page->names) {
        EXPECT_TRUE(all.insert(name).second) << name << " comes twice";
      }
      if (page->next.empty()) {
        return all;
      }
      cursor = page->next;
    }
    ADD_FAILURE() << "the pages do not end";
    return all;
  }
  std::string read_in_pieces(const std::string& file, std::size_t piece) {
    std::string all;
    std::string buffer(piece, '\0');
    for (;;) {
      const auto got = tree_->read_at(file, all.size(), std::as_writable_bytes(std::span(buffer)));
      EXPECT_TRUE(got) << describe(got.error());
      if (!got) {
        return all;
      }
      all.append(buffer, 0, *got);
      if (*got < piece) {
        return all;
      }
    }
  }

  S3Options options_;
  std::optional<S3Tree> tree_;
};

INSTANTIATE_TEST_SUITE_P(S3, S3TreeTest, ::testing::Values("double", real_server()),
                         [](const auto& each) { return each.param; });

TEST_P(S3TreeTest, FoldersAreWhatKeysSay) {
  put("repositories/p/app/_manifests/tags/v1/current/link");
  put("repositories/p/app/_manifests/tags/v2/current/link");
  put("repositories/p/application/_layers/link");
  put("repositories/q/link");
  put("repositories/file");
  put("repositories-of-others/r/link");
  EXPECT_THAT(folders("repositories", 1'000), UnorderedElementsAre("p", "q"));
  EXPECT_THAT(folders("repositories/p", 1'000), UnorderedElementsAre("app", "application"));
  EXPECT_THAT(folders("repositories/p/app/_manifests/tags", 1'000),
              UnorderedElementsAre("v1", "v2"));
  EXPECT_THAT(folders("repositories/q", 1'000), IsEmpty());
  EXPECT_THAT(folders("repositories/file", 1'000), IsEmpty());
  EXPECT_THAT(folders("nothing", 1'000), IsEmpty());
}

TEST_P(S3TreeTest, PagesLeaveNothingOut) {
  // Their order as keys is not that of their names: "a-b/" comes before "a/".
  const std::set<std::string> names{"a", "a-b", "a.b", "a0", "a_b", "ab", "b", "b-1", "b0", "c"};
  for (const std::string& name : names) {
    put("folder/" + name + "/one");
    put("folder/" + name + "/two/three");
  }
  put("folder/a-file");
  put("folder/", "");  // As consoles mark a folder.
  for (const std::size_t count : {1U, 2U, 3U, 9U, 10U, 1'000U}) {
    EXPECT_EQ(folders("folder", count), names) << count;
  }
}

TEST_P(S3TreeTest, ReadsSmallFiles) {
  put("a/link", "sha256:1234");
  put("a/empty", "");
  EXPECT_EQ(tree_->read("a/link", 11).value(), "sha256:1234");
  EXPECT_EQ(tree_->read("a/empty", 0).value(), "");
  EXPECT_EQ(tree_->read("a/link", 10).error().code, Code::kTooLarge);
  EXPECT_EQ(tree_->read("a/other", 10).error().code, Code::kNotFound);
  EXPECT_EQ(tree_->read("a", 10).error().code, Code::kNotFound);
}

TEST_P(S3TreeTest, TellsSizeAndTime) {
  put("a/file", std::string(1'000, 'x'));
  const auto status = tree_->stat("a/file").value();
  EXPECT_EQ(status.size, 1'000U);
  EXPECT_LT(SystemClock().now() - status.modified_at, std::chrono::minutes(5));
  EXPECT_GT(SystemClock().now() - status.modified_at, std::chrono::minutes(-5));
  EXPECT_EQ(tree_->stat("a/other").error().code, Code::kNotFound);
  EXPECT_EQ(tree_->stat("a/other").error().subject, Subject::kStorage);
}

TEST_P(S3TreeTest, ReadsLargeFilesInPieces) {
  std::string content;
  for (int i = 0; content.size() < 5'000'000; ++i) {
    content += fmt::format("{} ", i);
  }
  put("large", content);
  EXPECT_EQ(read_in_pieces("large", 1'000'003), content);
  // From elsewhere than where it stood, and another one after it was changed.
  std::array<std::byte, 10> ten{};
  EXPECT_EQ(tree_->read_at("large", 4'000'000, ten).value(), 10U);
  EXPECT_EQ(text_of(ten), content.substr(4'000'000, 10));
  put("large", "short");
  EXPECT_EQ(read_in_pieces("large", 10), "short");
  EXPECT_EQ(tree_->read_at("none", 0, ten).error().code, Code::kNotFound);
}

// What fails is said on demand by the double only.

class S3TreeFaults : public S3TreeTest {
 protected:
  static void inject(std::string_view faults) { the_double().control("/__fault", faults); }
};
INSTANTIATE_TEST_SUITE_P(S3, S3TreeFaults, ::testing::Values("double"));

TEST_P(S3TreeFaults, WhatFailsNowAndThenIsAskedForAgain) {
  put("a/b/link", "content");
  inject(
      R"([{"op":"list_objects","kind":"slow_down","times":2},{"op":"get_object","kind":"truncate"},
            {"op":"head_object","kind":"drop"}])");
  EXPECT_THAT(folders("a", 10), ElementsAre("b"));
  EXPECT_EQ(tree_->read("a/b/link", 100).value(), "content");
  EXPECT_EQ(tree_->stat("a/b/link").value().size, 7U);
}

TEST_P(S3TreeFaults, AStoreThatIsAwayIsNoEmptyFolder) {
  put("a/b/link");
  inject(R"([{"op":"*","kind":"error","times":1000}])");
  EXPECT_EQ(tree_->folders("a", "", 10).error().code, Code::kUnavailable);
  EXPECT_EQ(tree_->read("a/b/link", 10).error().code, Code::kUnavailable);
  EXPECT_EQ(tree_->stat("a/b/link").error().code, Code::kUnavailable);
  inject("[]");
}

TEST_P(S3TreeFaults, AStoreThatTurnsInACircleIsRefused) {
  put("a/b/link");
  put("a/c/link");
  put("a/d/link");
  // The double lists what follows its token, which is a name.
  const auto page = tree_->folders("a", "", 1).value();
  EXPECT_THAT(page.names, ElementsAre("b"));
  inject(R"([{"op":"list_objects","kind":"same_page"}])");
  EXPECT_EQ(tree_->folders("a", page.next, 1).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace roadstead::storage::testing
