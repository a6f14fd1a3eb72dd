#pragma once

#include "base/result.h"
#include "sys/file.h"

namespace roadstead::sys {

/// A whole directory for one process, by a lock on the directory itself: nothing is added to what
/// is in it. Released when it dies, also with the process.
class DirectoryLock {
 public:
  /// Errors: kConflict when another process holds it; as File::open() when it is not there.
  static Result<DirectoryLock> acquire(PathView path);

 private:
  explicit DirectoryLock(File directory) : directory_(std::move(directory)) {}
  File directory_;
};

}  // namespace roadstead::sys
