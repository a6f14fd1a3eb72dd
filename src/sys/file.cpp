#include "sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/text.h"
#include "sys/internal/system_call.h"
#include "sys/process.h"

namespace roadstead::sys {
namespace {

using internal::failed;
using internal::system_call;

int flags_of(File::Mode mode) {
  switch (mode) {
    case File::Mode::kRead:
      return O_RDONLY;
    case File::Mode::kReadWrite:
      return O_RDWR;
    case File::Mode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

}  // namespace

Result<File> File::open(PathView path, Mode mode) {
  const int flags = flags_of(mode) | O_CLOEXEC;
  const int descriptor =
      system_call("open", path, [&] { return ::open(path.c_str(), flags, 0600); });
  if (descriptor == -1) {
    return failed("open", path);
  }
  return File(descriptor, path.string());
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ != -1) {
    ::close(descriptor_);  // Nothing to learn from its result: what matters was synced.
  }
}

Result<std::uint64_t> File::size() const {
  struct stat status{};
  if (system_call("fstat", path_, [&] { return ::fstat(descriptor_, &status); }) == -1) {
    return failed("stat", path_);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::size_t> File::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = system_call("read", path_, [&] {
      return ::pread(descriptor_, into.data() + done, into.size() - done,
                     static_cast<off_t>(offset + done));
    });
    if (n == -1) {
      return failed("read", path_);
    }
    if (n == 0) {
      break;
    }
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<void> File::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = system_call("write", path_, [&] {
      return ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                      static_cast<off_t>(offset + done));
    });
    if (n == 0) {
      errno = ENOSPC;  // No progress and no reason: never try that for ever.
    }
    if (n <= 0) {
      return failed("write", path_);
    }
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> File::truncate(std::uint64_t size) {
  if (system_call("ftruncate", path_,
                  [&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) == -1) {
    return failed("truncate", path_);
  }
  return {};
}

Result<void> File::preallocate(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) {
    return {};
  }
  const int result = system_call("fallocate", path_, [&] {
    return ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  });
  if (result == -1 && errno != EOPNOTSUPP && errno != ENOSYS) {
    return failed("allocate", path_);
  }
  return {};
}

void File::start_writeback(std::uint64_t offset, std::uint64_t length) {
  system_call("sync_file_range", path_, [&] {
    return ::sync_file_range(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(length),
                             SYNC_FILE_RANGE_WRITE);
  });
}

Result<void> File::sync_data() {
  if (system_call("fdatasync", path_, [&] { return ::fdatasync(descriptor_); }) == -1) {
    return failed("sync", path_);
  }
  return {};
}

Result<std::string> read_file(PathView path, std::size_t size_max) {
  const File file = TRY(File::open(path, File::Mode::kRead));
  // Sizes are not trusted: files of /proc have none, others may grow.
  std::string content;
  std::array<std::byte, 16384> buffer;
  for (;;) {
    const std::size_t n = TRY(file.read_at(content.size(), buffer));
    if (content.size() + n > size_max) {
      return Error{Code::kTooLarge,
                   Subject::kStorage,
                   path.string() + " is larger than " + std::to_string(size_max) + " bytes",
                   {}};
    }
    content.append(text_of(std::span(buffer).first(n)));
    if (n < buffer.size()) {
      return content;
    }
  }
}

namespace {

Result<void> write_synced(PathView path, std::string_view content) {
  File file = TRY(File::open(path, File::Mode::kCreateNew));
  TRY(file.write_at(0, bytes_of(content)));
  return file.sync_data();
}

}  // namespace

Result<void> replace_file(PathView path, std::string_view content) {
  const std::string fresh = path.string() + "." + random_uuid() + ".new";
  Result<void> replaced = write_synced(fresh, content);
  if (replaced) {
    replaced = sys::rename(fresh, path);
  }
  if (!replaced) {
    // Best effort; the first error is the one to tell.
    static_cast<void>(sys::remove(fresh));
    return replaced;
  }
  return sync_directory(path.path().parent_path());
}

Result<FileLock> FileLock::acquire(PathView path) {
  Result<File> file = File::open(path, File::Mode::kCreateNew);
  if (!file && file.error().code == Code::kConflict) {
    file = File::open(path, File::Mode::kReadWrite);
  }
  if (!file) {
    return std::move(file).error();
  }
  // A lock of the open file, unlike fcntl's classic one: closing another descriptor keeps it.
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  const int descriptor = file->descriptor();
  if (system_call("lock", path, [&] { return ::fcntl(descriptor, F_OFD_SETLK, &whole); }) == -1) {
    if (errno == EAGAIN || errno == EACCES) {
      return Error{
          Code::kConflict, Subject::kStorage, path.string() + " is locked by another process", {}};
    }
    return failed("lock", path);
  }
  return FileLock(std::move(file).value());
}

}  // namespace roadstead::sys
