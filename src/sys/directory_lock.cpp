#include "sys/directory_lock.h"

#include <sys/file.h>

#include <cerrno>

#include "sys/internal/system_call.h"

namespace roadstead::sys {
namespace {

// LOCK_EX and LOCK_NB of flock(2): the header that has them is called like one of ours.
constexpr int kExclusive = 2;
constexpr int kWithoutWaiting = 4;

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(PathView path) {
  File directory = TRY(File::open(path, File::Mode::kRead));
  const int descriptor = directory.descriptor();
  const auto lock = [&] { return ::syscall(SYS_flock, descriptor, kExclusive | kWithoutWaiting); };
  if (internal::system_call("lock", path, lock) == -1) {
    if (errno == EWOULDBLOCK) {
      return Error{
          Code::kConflict, Subject::kStorage, path.string() + " is locked by another process", {}};
    }
    return system_error(errno, "lock " + path.string());
  }
  return DirectoryLock(std::move(directory));
}

}  // namespace roadstead::sys
