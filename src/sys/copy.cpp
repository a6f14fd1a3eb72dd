#include "sys/copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "sys/internal/system_call.h"

namespace roadstead::sys {

using internal::failed;
using internal::system_call;

Result<bool> link_file(const File& file, PathView to) {
  // By descriptor: the name it was opened by may be another file's by now.
  const std::string from = "/proc/self/fd/" + std::to_string(file.descriptor());
  const int linked = system_call("link", to, [&] {
    return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW);
  });
  if (linked == 0) {
    return true;
  }
  // EPERM: no links here, or not for us.
  if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP) {
    return false;
  }
  return failed("link", to);
}

Result<void> sync_file_system(PathView path) {
  const int descriptor = system_call(
      "open", path, [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor == -1) {
    return failed("open directory", path);
  }
  const int result = system_call("syncfs", path, [&] { return ::syncfs(descriptor); });
  const int error_number = errno;
  ::close(descriptor);
  if (result == -1) {
    errno = error_number;
    return failed("sync the file system of", path);
  }
  return {};
}

}  // namespace roadstead::sys
