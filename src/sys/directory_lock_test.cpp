#include "sys/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sys/testing/scratch_directory.h"

namespace roadstead::sys {
namespace {

TEST(DirectoryLockTest, HasOneOwnerAndLeavesNothing) {
  const testing::ScratchDirectory scratch;
  {
    const auto held = DirectoryLock::acquire(scratch.path());
    ASSERT_TRUE(held);
    EXPECT_EQ(DirectoryLock::acquire(scratch.path()).error().code, Code::kConflict);
    EXPECT_THAT(list_directory(scratch.path()).value(), ::testing::IsEmpty());
  }
  EXPECT_TRUE(DirectoryLock::acquire(scratch.path()));
  EXPECT_FALSE(DirectoryLock::acquire(scratch.path() / "absent"));
}

}  // namespace
}  // namespace roadstead::sys
