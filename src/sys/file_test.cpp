#include "sys/file.h"

#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "sys/faults.h"
#include "sys/kind.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::sys {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ScratchDirectory;
using ::testing::UnorderedElementsAre;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

/// Notes every file-system call while it lives.
class Recorder {
 public:
  [[nodiscard]] const std::vector<std::string>& calls() const { return calls_; }

 private:
  std::vector<std::string> calls_;
  ScopedFaults faults_{[this](std::string_view call, const std::filesystem::path&) {
    calls_.emplace_back(call);
    return 0;
  }};
};

TEST(File, WritesReadsAndTruncates) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "f";
  File file = File::open(path, File::Mode::kCreateNew).value();
  ASSERT_TRUE(file.write_at(0, bytes_of("hello")));
  ASSERT_TRUE(file.write_at(5, bytes_of(" world")));
  ASSERT_TRUE(file.sync_data());
  EXPECT_EQ(file.size().value(), 11U);
  EXPECT_EQ(mode_of(path), 0600U);

  const File reader = File::open(path, File::Mode::kRead).value();
  std::array<std::byte, 64> buffer{};
  EXPECT_EQ(reader.read_at(6, buffer).value(), 5U);
  EXPECT_EQ(text_of(std::span(buffer).first(5)), "world");
  EXPECT_EQ(reader.read_at(11, buffer).value(), 0U);

  ASSERT_TRUE(file.truncate(5));
  EXPECT_EQ(read_file(path, 100).value(), "hello");
}

TEST(File, ErrorsTellWhatIsWrong) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "f";
  const auto missing = File::open(path, File::Mode::kRead);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(missing.error().subject, Subject::kStorage);
  EXPECT_THAT(missing.error().message, ::testing::HasSubstr(path.string()));

  ASSERT_TRUE(File::open(path, File::Mode::kCreateNew));
  EXPECT_EQ(File::open(path, File::Mode::kCreateNew).error().code, Code::kConflict);

  File reader = File::open(path, File::Mode::kRead).value();
  EXPECT_EQ(reader.write_at(0, bytes_of("x")).error().code, Code::kInternal);
}

TEST(File, PreallocationKeepsTheSize) {
  const ScratchDirectory scratch;
  File file = File::open(scratch.path() / "f", File::Mode::kCreateNew).value();
  ASSERT_TRUE(file.preallocate(0, 1 << 20));
  ASSERT_TRUE(file.preallocate(0, 0));
  file.start_writeback(0, 1 << 20);
  EXPECT_EQ(file.size().value(), 0U);
}

TEST(File, FullDiskIsUnavailable) {
  const ScratchDirectory scratch;
  File file = File::open(scratch.path() / "f", File::Mode::kCreateNew).value();
  const FailNth fault(0, ENOSPC);
  EXPECT_EQ(file.write_at(0, bytes_of("x")).error().code, Code::kUnavailable);
  EXPECT_TRUE(fault.fired());
  EXPECT_TRUE(file.write_at(0, bytes_of("x")));
}

TEST(File, FileSystemWithoutPreallocationIsNoError) {
  const ScratchDirectory scratch;
  File file = File::open(scratch.path() / "f", File::Mode::kCreateNew).value();
  {
    const FailNth fault(0, EOPNOTSUPP);
    EXPECT_TRUE(file.preallocate(0, 4096));
  }
  const FailNth fault(0, ENOSPC);
  EXPECT_EQ(file.preallocate(0, 4096).error().code, Code::kUnavailable);
}

TEST(File, MoveLeavesOneOwner) {
  const ScratchDirectory scratch;
  File first = File::open(scratch.path() / "1", File::Mode::kCreateNew).value();
  File second = File::open(scratch.path() / "2", File::Mode::kCreateNew).value();
  const int descriptor = first.descriptor();
  second = std::move(first);
  EXPECT_EQ(second.descriptor(), descriptor);
  EXPECT_EQ(second.path(), scratch.path() / "1");
  EXPECT_TRUE(second.write_at(0, bytes_of("x")));
}

TEST(ReadFile, RefusesWhatIsTooLarge) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "f";
  const std::string content(20'000, 'x');
  ASSERT_TRUE(replace_file(path, content));
  EXPECT_EQ(read_file(path, 20'000).value(), content);
  EXPECT_EQ(read_file(path, 19'999).error().code, Code::kTooLarge);
  EXPECT_FALSE(read_file("/proc/self/status", 1 << 20).value().empty());
}

TEST(ReplaceFile, SyncsBytesThenNameThenDirectory) {
  const ScratchDirectory scratch;
  const Recorder recorder;
  ASSERT_TRUE(replace_file(scratch.path() / "f", "new"));
  EXPECT_THAT(recorder.calls(),
              ElementsAre("open", "write", "fdatasync", "rename", "open", "fsync"));
}

TEST(ReplaceFile, EveryFailureLeavesOldOrNewAndNothingElse) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "f";
  bool failed = true;
  for (std::size_t n = 0; failed && n < 100; ++n) {
    ASSERT_TRUE(replace_file(path, "old"));
    Result<void> replaced;
    {
      const FailNth fault(n, EIO);
      replaced = replace_file(path, "new");
      failed = fault.fired();
    }
    EXPECT_EQ(replaced.has_value(), !failed);
    const std::string content = read_file(path, 100).value();
    EXPECT_TRUE(content == "new" || (failed && content == "old")) << content;
    EXPECT_THAT(list_directory(scratch.path()).value(), ElementsAre("f"));
  }
  EXPECT_FALSE(failed);
}

TEST(Directories, AreMadeWithEveryParentSynced) {
  const ScratchDirectory scratch;
  {
    const Recorder recorder;
    ASSERT_TRUE(make_directories(scratch.path() / "a" / "b"));
    // b has no parent yet; a; b: each new entry is followed by the sync of its directory.
    EXPECT_THAT(recorder.calls(),
                ElementsAre("mkdir", "mkdir", "open", "fsync", "mkdir", "open", "fsync"));
  }
  EXPECT_EQ(mode_of(scratch.path() / "a" / "b"), 0700U);
  EXPECT_TRUE(make_directories(scratch.path() / "a" / "b"));
}

TEST(Directories, AnUnsyncedOneIsNotLeftBehind) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "a";
  const FailNth fault(2, EIO);  // mkdir, open, fsync
  EXPECT_FALSE(make_directories(path));
  EXPECT_FALSE(sys::exists(path).value());
  EXPECT_TRUE(make_directories(path));
}

TEST(Directories, AFileInTheWayIsAConflict) {
  const ScratchDirectory scratch;
  ASSERT_TRUE(replace_file(scratch.path() / "f", ""));
  EXPECT_EQ(make_directories(scratch.path() / "f").error().code, Code::kConflict);
  EXPECT_FALSE(make_directories(scratch.path() / "f" / "g"));
}

TEST(Directories, ListRemoveAndRename) {
  const ScratchDirectory scratch;
  const auto a = scratch.path() / "a";
  const auto b = scratch.path() / "b";
  ASSERT_TRUE(make_directories(scratch.path() / "d"));
  ASSERT_TRUE(replace_file(a, "a"));
  ASSERT_TRUE(sys::rename(a, b));
  EXPECT_THAT(list_directory(scratch.path()).value(), UnorderedElementsAre("b", "d"));
  EXPECT_FALSE(sys::exists(a).value());
  EXPECT_TRUE(sys::exists(b).value());
  EXPECT_EQ(sys::rename(a, b).error().code, Code::kNotFound);

  EXPECT_FALSE(sys::remove_directory(scratch.path()).value());
  EXPECT_TRUE(sys::remove_directory(scratch.path() / "d").value());
  EXPECT_TRUE(sys::remove_directory(scratch.path() / "d").value());
  EXPECT_TRUE(sys::remove(b));
  EXPECT_TRUE(sys::remove(b));
  EXPECT_THAT(list_directory(scratch.path()).value(), IsEmpty());
  EXPECT_EQ(list_directory(b).error().code, Code::kNotFound);
}

TEST(Directories, FailedListIsAnErrorNotAShortList) {
  const ScratchDirectory scratch;
  ASSERT_TRUE(replace_file(scratch.path() / "f", ""));
  const FailNth fault(1, EIO);  // open, readdir
  EXPECT_FALSE(list_directory(scratch.path()));
}

TEST(Directories, OneLevelTellsWhetherItIsNew) {
  const ScratchDirectory scratch;
  EXPECT_EQ(make_directory(scratch.path() / "a" / "b").error().code, Code::kNotFound);
  EXPECT_TRUE(make_directory(scratch.path() / "a").value());
  EXPECT_FALSE(make_directory(scratch.path() / "a").value());
}

TEST(Files, TellTheirSize) {
  const ScratchDirectory scratch;
  ASSERT_TRUE(replace_file(scratch.path() / "f", "12345"));
  EXPECT_EQ(sys::file_size(scratch.path() / "f").value(), 5U);
  EXPECT_EQ(sys::file_size(scratch.path() / "g").error().code, Code::kNotFound);
  EXPECT_EQ(sys::file_size(scratch.path()).error().code, Code::kConflict);
}

TEST(Files, TellTimeAndSpace) {
  const ScratchDirectory scratch;
  ASSERT_TRUE(replace_file(scratch.path() / "f", "x"));
  const auto age = SystemClock().now() - modified_at(scratch.path() / "f").value();
  EXPECT_LT(age, std::chrono::minutes(5));
  EXPECT_GT(age, -std::chrono::minutes(5));
  EXPECT_GT(free_space(scratch.path()).value(), 0U);
  EXPECT_EQ(modified_at(scratch.path() / "g").error().code, Code::kNotFound);
}

TEST(Files, TellWhatTheyAre) {
  const ScratchDirectory scratch;
  const auto file = scratch.path() / "file";
  ASSERT_TRUE(sys::replace_file(file, "x"));
  std::filesystem::create_symlink(scratch.path(), scratch.path() / "link");
  EXPECT_EQ(sys::kind_of(file).value(), sys::Kind::kFile);
  EXPECT_EQ(sys::kind_of(scratch.path()).value(), sys::Kind::kDirectory);
  EXPECT_EQ(sys::kind_of(scratch.path() / "link").value(), sys::Kind::kLink);
  EXPECT_EQ(sys::kind_of(file / "below").value(), sys::Kind::kNothing);
  EXPECT_EQ(sys::kind_of("/dev/null").value(), sys::Kind::kOther);
}

TEST(FileLock, IsExclusiveUntilDestroyed) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "lock";
  {
    const auto held = FileLock::acquire(path);
    ASSERT_TRUE(held);
    EXPECT_EQ(FileLock::acquire(path).error().code, Code::kConflict);
  }
  EXPECT_TRUE(FileLock::acquire(path));
}

TEST(Faults, OnlyTheNthCallFails) {
  const ScratchDirectory scratch;
  const FailNth fault(1, EIO);
  EXPECT_TRUE(sys::exists(scratch.path()));
  EXPECT_FALSE(fault.fired());
  EXPECT_FALSE(sys::exists(scratch.path()));
  EXPECT_TRUE(fault.fired());
  EXPECT_TRUE(sys::exists(scratch.path()));
}

TEST(FaultsDeathTest, TwoAtATimeAbort) {
  const FailNth first(0, EIO);
  EXPECT_DEATH(FailNth(1, EIO), "invariant broken");
}

}  // namespace
}  // namespace roadstead::sys
