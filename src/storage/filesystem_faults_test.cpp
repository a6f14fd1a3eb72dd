#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "storage/filesystem.h"
#include "storage/testing/blob_store_contract.h"
#include "sys/faults.h"
#include "sys/testing/scratch_directory.h"

// Fails, or dies at, the N-th file-system call of an operation, for every N until the operation
// makes no more calls, and looks each time whether the contract still holds.
namespace roadstead::storage {
namespace {

using model::Algorithm;
using model::Digest;
using testing::get;
using ::testing::IsEmpty;
using testing::put;

constexpr std::size_t kCallsMax = 2000;
constexpr std::chrono::seconds kAnyAge{0};

Location location_of(const Digest& digest) {
  const std::string algorithm(crypto::to_string(digest.algorithm()));
  const std::string hex(digest.hex());
  return Location{"blobs/" + algorithm + "/" + hex.substr(0, 2) + "/" + hex};
}

class FilesystemFaults : public ::testing::TestWithParam<int> {
 protected:
  [[nodiscard]] std::filesystem::path root() const { return scratch_.path(); }
  void reopen() { store_ = open_filesystem_store(root()).value(); }
  [[nodiscard]] BlobStore& store() const { return *store_; }

  [[nodiscard]] std::filesystem::path file_of(const std::string& content) const {
    return root() / location_of(Digest::of(content)).value;
  }

  /// True when the blob is whole, false when it is absent; anything between fails the test.
  [[nodiscard]] bool is_whole(const std::string& content) const {
    const Location location = location_of(Digest::of(content));
    const auto size = store().stat(location);
    if (!size) {
      EXPECT_EQ(size.error().code, Code::kNotFound) << describe(size.error());
      EXPECT_EQ(store().open(location).error().code, Code::kNotFound);
      return false;
    }
    EXPECT_EQ(get(store(), location).value(), content);
    return true;
  }

  /// What a failure left can be discarded, and then nothing is left.
  void expect_no_leak() const {
    const auto stale = store().stale_uploads(kAnyAge);
    for (const std::string& token : *stale) {
      EXPECT_TRUE(store().discard(token));
    }
    EXPECT_THAT(sys::list_directory(root() / "uploads").value(), IsEmpty());
  }

  /// Runs `operation(n)` with its n-th call failing, for n = 0, 1, … until none failed; after each
  /// run `check(n, succeeded)`. A run without a fault must succeed.
  void for_each_fault(const std::function<Result<void>(std::size_t)>& operation,
                      const std::function<void(std::size_t, bool)>& check) const {
    bool fired = true;
    for (std::size_t n = 0; fired; ++n) {
      ASSERT_LT(n, kCallsMax);
      SCOPED_TRACE("call " + std::to_string(n));
      Result<void> result;
      {
        const sys::FailNth fault(n, GetParam());
        result = operation(n);
        fired = fault.fired();
      }
      EXPECT_TRUE(fired || result) << describe(result.error());
      check(n, result.has_value());
    }
  }

 private:
  sys::testing::ScratchDirectory scratch_;
  std::unique_ptr<BlobStore> store_ = open_filesystem_store(scratch_.path()).value();
};

std::string content_of(std::size_t n) {
  return "content " + std::to_string(n);
}

Result<void> upload(BlobStore& store, const std::string& content) {
  TRY(put(store, content));
  return {};
}

TEST_P(FilesystemFaults, Upload) {
  for_each_fault([&](std::size_t n) { return upload(store(), content_of(n)); },
                 [&](std::size_t n, bool succeeded) {
                   const bool whole = is_whole(content_of(n));
                   EXPECT_TRUE(whole || !succeeded);
                   EXPECT_EQ(sys::exists(file_of(content_of(n))).value(), whole);
                   expect_no_leak();
                   EXPECT_TRUE(upload(store(), content_of(n)));
                   EXPECT_TRUE(is_whole(content_of(n)));
                   expect_no_leak();
                 });
}

TEST_P(FilesystemFaults, UploadOfKnownContent) {
  ASSERT_TRUE(upload(store(), "known"));
  for_each_fault([&](std::size_t) { return upload(store(), "known"); },
                 [&](std::size_t, bool) {
                   EXPECT_TRUE(is_whole("known"));
                   expect_no_leak();
                 });
}

TEST_P(FilesystemFaults, UploadUnderAnotherAlgorithm) {
  for_each_fault(
      [&](std::size_t n) -> Result<void> {
        const auto writer = TRY(store().begin(Algorithm::kSha256, 0));
        TRY(writer->append(bytes_of(content_of(n))));
        TRY(writer->commit(Digest::of(content_of(n), Algorithm::kSha512)));
        return {};
      },
      [&](std::size_t n, bool succeeded) {
        const Location location = location_of(Digest::of(content_of(n), Algorithm::kSha512));
        const auto content = get(store(), location);
        EXPECT_TRUE(content || !succeeded);
        EXPECT_TRUE(!content || *content == content_of(n));
        expect_no_leak();
      });
}

TEST_P(FilesystemFaults, CommitIsRetriedOnTheSameWriter) {
  std::unique_ptr<BlobWriter> writer;
  bool fired = true;
  for (std::size_t n = 0; fired; ++n) {
    ASSERT_LT(n, kCallsMax);
    SCOPED_TRACE("call " + std::to_string(n));
    writer = store().begin(Algorithm::kSha256, 0).value();
    ASSERT_TRUE(writer->append(bytes_of(content_of(n))));
    {
      const sys::FailNth fault(n, GetParam());
      static_cast<void>(writer->commit(Digest::of(content_of(n))));
      fired = fault.fired();
    }
    const bool was_whole = is_whole(content_of(n));
    // Success, or a session that is void because its bytes may be lost; never something between.
    const auto again = writer->commit(Digest::of(content_of(n)));
    EXPECT_TRUE(again || was_whole || again.error().subject == Subject::kUpload);
    EXPECT_EQ(is_whole(content_of(n)), again.has_value() || was_whole);
    writer = nullptr;
    expect_no_leak();
  }
}

TEST_P(FilesystemFaults, ResumedUpload) {
  for_each_fault(
      [&](std::size_t n) -> Result<void> {
        std::string token;
        {
          const auto writer = TRY(store().begin(Algorithm::kSha256, 0));
          TRY(writer->append(bytes_of("con")));
          token = TRY(writer->checkpoint());
          TRY(writer->append(bytes_of("void")));
        }
        const auto writer = TRY(store().resume(token));
        TRY(writer->append(bytes_of(content_of(n).substr(3))));
        TRY(writer->commit(Digest::of(content_of(n))));
        return {};
      },
      [&](std::size_t n, bool succeeded) {
        EXPECT_TRUE(is_whole(content_of(n)) || !succeeded);
        expect_no_leak();
      });
}

TEST_P(FilesystemFaults, Removal) {
  const std::vector<std::string> contents = {"abc", "def", "ghi"};
  std::vector<Location> locations;
  for (const std::string& content : contents) {
    locations.push_back(location_of(Digest::of(content)));
  }
  bool fired = true;
  for (std::size_t n = 0; fired; ++n) {
    ASSERT_LT(n, kCallsMax);
    SCOPED_TRACE("call " + std::to_string(n));
    for (const std::string& content : contents) {
      ASSERT_TRUE(upload(store(), content));
    }
    {
      const sys::FailNth fault(n, GetParam());
      const auto removed = store().remove(locations);
      fired = fault.fired();
      EXPECT_EQ(removed.has_value(), !fired);
    }
    for (const std::string& content : contents) {
      static_cast<void>(is_whole(content));
    }
    EXPECT_TRUE(store().remove(locations));
    for (const std::string& content : contents) {
      EXPECT_FALSE(is_whole(content));
      EXPECT_FALSE(sys::exists(file_of(content)).value());
    }
  }
}

TEST_P(FilesystemFaults, ListsAreWholeOrErrors) {
  ASSERT_TRUE(upload(store(), "abc"));
  const auto writer = store().begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(writer->append(bytes_of("def")));
  ASSERT_TRUE(writer->checkpoint());
  for_each_fault(
      [&](std::size_t) -> Result<void> {
        const auto uploads = TRY(store().stale_uploads(kAnyAge));
        EXPECT_EQ(uploads.size(), 1U);
        TRY(store().free_space());
        const auto content = TRY(get(store(), location_of(Digest::of("abc"))));
        EXPECT_EQ(content, "abc");
        return {};
      },
      [](std::size_t, bool) {});
  // 512 directories are listed: some of the calls stand for all.
  for (const std::size_t n : {0U, 1U, 2U, 300U, 600U, 1000U}) {
    const sys::FailNth fault(n, GetParam());
    EXPECT_FALSE(store().list("", 10)) << n;
    EXPECT_TRUE(fault.fired());
  }
}

TEST_P(FilesystemFaults, Opening) {
  bool fired = true;
  for (std::size_t n = 0; fired; n += n < 24 ? 1 : 101) {
    SCOPED_TRACE("call " + std::to_string(n));
    const sys::testing::ScratchDirectory fresh;
    {
      const sys::FailNth fault(n, GetParam());
      const auto opened = open_filesystem_store(fresh.path() / "a" / "b");
      fired = fault.fired();
      EXPECT_EQ(opened.has_value(), !fired);
    }
    const auto opened = open_filesystem_store(fresh.path() / "a" / "b");
    ASSERT_TRUE(opened);
    EXPECT_TRUE(upload(**opened, "abc"));
  }
}

INSTANTIATE_TEST_SUITE_P(Errors, FilesystemFaults, ::testing::Values(EIO, ENOSPC));

class FilesystemCrash : public FilesystemFaults {
 protected:
  /// Runs `operation` in a process that dies before its n-th call. True when it lived.
  bool survives(std::size_t n, const std::function<void()>& operation) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::size_t calls = 0;
      const sys::ScopedFaults faults([&](std::string_view, const std::filesystem::path&) {
        if (calls++ == n) {
          ::_exit(1);
        }
        return 0;
      });
      operation();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
};

TEST_P(FilesystemCrash, CheckpointedUploadGoesOnOrIsPublished) {
  const auto note = root() / "token";
  bool lived = false;
  for (std::size_t n = 0; !lived; ++n) {
    ASSERT_LT(n, kCallsMax);
    SCOPED_TRACE("call " + std::to_string(n));
    const std::string content = content_of(n);
    std::filesystem::remove(note);
    lived = survives(n, [&] {
      const auto writer = store().begin(Algorithm::kSha256, content.size()).value();
      static_cast<void>(writer->append(bytes_of(content).first(3)));
      std::ofstream(note) << writer->checkpoint().value();
      static_cast<void>(writer->append(bytes_of(content).subspan(3)));
      static_cast<void>(writer->commit(Digest::of(content)));
    });
    reopen();
    const bool whole = is_whole(content);
    EXPECT_TRUE(whole || !lived);
    const auto token = sys::read_file(note, 10'000);
    if (token && !token->empty() && !whole) {
      const auto writer = store().resume(*token).value();
      ASSERT_EQ(writer->offset(), 3U);
      ASSERT_TRUE(writer->append(bytes_of(content).subspan(3)));
      ASSERT_TRUE(writer->commit(Digest::of(content)));
      EXPECT_TRUE(is_whole(content));
    }
    expect_no_leak();
  }
}

TEST_P(FilesystemCrash, RemovalCanBeRetried) {
  const Location location = location_of(Digest::of("abc"));
  bool lived = false;
  for (std::size_t n = 0; !lived; ++n) {
    ASSERT_LT(n, kCallsMax);
    SCOPED_TRACE("call " + std::to_string(n));
    ASSERT_TRUE(upload(store(), "abc"));
    lived = survives(n, [&] { static_cast<void>(store().remove(std::span(&location, 1))); });
    reopen();
    EXPECT_FALSE(is_whole("abc") && lived);
    ASSERT_TRUE(store().remove(std::span(&location, 1)));
    EXPECT_FALSE(is_whole("abc"));
    EXPECT_FALSE(sys::exists(file_of("abc")).value());
  }
}

INSTANTIATE_TEST_SUITE_P(Kill, FilesystemCrash, ::testing::Values(0));

}  // namespace
}  // namespace roadstead::storage
