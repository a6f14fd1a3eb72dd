#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <memory>

#include <stdio.h>

#include "sys/file.h"
#include "sys/internal/system_call.h"
#include "sys/kind.h"

namespace roadstead::sys {
namespace {

using internal::failed;
using internal::system_call;

/// The directory that holds the entry; "." for a bare name.
std::filesystem::path parent_of(PathView path) {
  const std::filesystem::path parent = path.path().parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

Result<struct stat> status_of(PathView path) {
  struct stat status{};
  if (system_call("stat", path, [&] { return ::stat(path.c_str(), &status); }) == -1) {
    return failed("stat", path);
  }
  return status;
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// make_directory() and the sync that makes the new entry durable; false when the parent is
/// missing.
Result<bool> make_durable_directory(PathView path) {
  const Result<bool> made = make_directory(path);
  if (!made) {
    return made.error().code == Code::kNotFound ? Result<bool>(false) : made;
  }
  if (!*made) {
    if (!S_ISDIR(TRY(status_of(path)).st_mode)) {
      return Error{Code::kConflict, Subject::kStorage, path.string() + " is not a directory", {}};
    }
    return true;
  }
  const Result<void> synced = sync_directory(parent_of(path));
  if (!synced) {
    // Otherwise a second attempt would find the entry and take it for durable.
    ::rmdir(path.c_str());
    return synced.error();
  }
  return true;
}

}  // namespace

Result<bool> make_directory(PathView path) {
  if (system_call("mkdir", path, [&] { return ::mkdir(path.c_str(), 0700); }) == 0) {
    return true;
  }
  if (errno == EEXIST) {
    return false;
  }
  return failed("make directory", path);
}

Result<void> rename(PathView from, PathView to) {
  if (system_call("rename", to, [&] { return ::rename(from.c_str(), to.c_str()); }) == -1) {
    return failed("rename " + from.string() + " to", to);
  }
  return {};
}

Result<void> remove(PathView path) {
  if (system_call("unlink", path, [&] { return ::unlink(path.c_str()); }) == -1 &&
      errno != ENOENT && errno != ENOTDIR) {
    return failed("remove", path);
  }
  return {};
}

Result<bool> remove_directory(PathView path) {
  if (system_call("rmdir", path, [&] { return ::rmdir(path.c_str()); }) == 0 || errno == ENOENT) {
    return true;
  }
  if (errno == ENOTEMPTY || errno == EEXIST) {
    return false;
  }
  return failed("remove directory", path);
}

Result<bool> exists(PathView path) {
  if (system_call("access", path, [&] { return ::access(path.c_str(), F_OK); }) == 0) {
    return true;
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return false;
  }
  return failed("look for", path);
}

Result<Kind> kind_of(PathView path) {
  struct stat status{};
  if (system_call("lstat", path, [&] { return ::lstat(path.c_str(), &status); }) == -1) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return Kind::kNothing;
    }
    return failed("look at", path);
  }
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return Kind::kFile;
    case S_IFDIR:
      return Kind::kDirectory;
    case S_IFLNK:
      return Kind::kLink;
    default:
      return Kind::kOther;
  }
}

Result<void> make_directories(PathView path) {
  if (TRY(make_durable_directory(path))) {
    return {};
  }
  const std::filesystem::path parent = path.path().parent_path();
  if (parent.empty() || parent == path.path()) {
    return Error{Code::kNotFound, Subject::kStorage, "make directory " + path.string(), {}};
  }
  TRY(make_directories(parent));  // As deep as the path has components.
  if (!TRY(make_durable_directory(path))) {
    return Error{Code::kNotFound, Subject::kStorage, parent.string() + " was removed", {}};
  }
  return {};
}

Result<void> sync_directory(PathView path) {
  const char* name = path.empty() ? "." : path.c_str();
  const int descriptor =
      system_call("open", path, [&] { return ::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor == -1) {
    return failed("open directory", path);
  }
  const int result = system_call("fsync", path, [&] { return ::fsync(descriptor); });
  const int error_number = errno;
  ::close(descriptor);
  if (result == -1) {
    errno = error_number;
    return failed("sync directory", path);
  }
  return {};
}

Result<std::vector<std::string>> list_directory(PathView path) {
  const int descriptor = system_call(
      "open", path, [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor == -1) {
    return failed("open directory", path);
  }
  const std::unique_ptr<DIR, DirectoryCloser> directory(::fdopendir(descriptor));
  if (directory == nullptr) {
    const Error error = failed("open directory", path);
    ::close(descriptor);
    return error;
  }
  std::vector<std::string> names;
  for (;;) {
    errno = fault("readdir", path);
    const dirent* entry = errno == 0 ? ::readdir(directory.get()) : nullptr;
    if (entry == nullptr) {
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  if (errno != 0) {
    return failed("list", path);
  }
  return names;
}

Result<std::uint64_t> file_size(PathView path) {
  const struct stat status = TRY(status_of(path));
  if (!S_ISREG(status.st_mode)) {
    return Error{Code::kConflict, Subject::kStorage, path.string() + " is not a file", {}};
  }
  return static_cast<std::uint64_t>(status.st_size);
}

Result<Time> modified_at(PathView path) {
  const timespec at = TRY(status_of(path)).st_mtim;
  return Time(
      std::chrono::seconds(at.tv_sec) +
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::nanoseconds(at.tv_nsec)));
}

Result<std::uint64_t> free_space(PathView path) {
  struct statvfs status{};
  if (system_call("statvfs", path, [&] { return ::statvfs(path.c_str(), &status); }) == -1) {
    return failed("look at the file system of", path);
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace roadstead::sys
