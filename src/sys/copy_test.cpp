#include "sys/copy.h"

#include <gtest/gtest.h>

#include "sys/testing/scratch_directory.h"

namespace roadstead::sys {
namespace {

class CopyTest : public ::testing::Test {
 protected:
  CopyTest() { EXPECT_TRUE(replace_file(file, "content")); }
  testing::ScratchDirectory scratch;
  std::filesystem::path file = scratch.path() / "file";
  std::filesystem::path link = scratch.path() / "link";
};

TEST_F(CopyTest, ALinkIsTheFileThatWasOpened) {
  const File open = File::open(file, File::Mode::kRead).value();
  // Whatever has the name by now.
  ASSERT_TRUE(sys::rename(file, scratch.path() / "moved"));
  ASSERT_TRUE(replace_file(file, "another"));
  ASSERT_TRUE(link_file(open, link).value());
  EXPECT_EQ(read_file(link, 100).value(), "content");
}

TEST_F(CopyTest, ALinkReplacesNothing) {
  const File open = File::open(file, File::Mode::kRead).value();
  ASSERT_TRUE(replace_file(link, "precious"));
  EXPECT_EQ(link_file(open, link).error().code, Code::kConflict);
  EXPECT_EQ(read_file(link, 100).value(), "precious");
}

TEST_F(CopyTest, AFileOfAnotherFileSystemIsNotLinked) {
  const File other = File::open("/proc/self/status", File::Mode::kRead).value();
  EXPECT_FALSE(link_file(other, link).value());
  EXPECT_FALSE(sys::exists(link).value());
}

TEST_F(CopyTest, SyncsTheFileSystemOfAFolder) {
  EXPECT_TRUE(sync_file_system(scratch.path()));
  EXPECT_FALSE(sync_file_system(scratch.path() / "absent"));
}

}  // namespace
}  // namespace roadstead::sys
