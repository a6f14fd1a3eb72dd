#include "db/internal/sqlite_log_vfs.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include <sqlite3.h>

#include "base/check.h"
#include "base/guarded.h"

namespace roadstead::db::internal {
namespace {

constexpr std::size_t kPendingMax = std::size_t{1} << 20U;
// SQLite's own VFS takes the size of a write modulo 128 KiB, and so nothing of exactly that.
constexpr std::size_t kWriteMax = std::size_t{64} << 10U;
// The write-ahead log's format: sqlite.org/fileformat2.html, section 4.1.
constexpr int kFrameHeaderBytes = 24;
constexpr std::size_t kCommitSizeAt = 4;  // Pages of the database after a commit; else zero.

/// A log file. The base's own file lies behind it in the memory that SQLite gives.
struct LogFile {
  sqlite3_file as_file;  // First: SQLite knows only this.
  std::vector<std::byte>* pending;
  sqlite3_int64 pending_at;
  bool last_frame;  ///< The page that follows ends a transaction.

  /// Aligned as the base's file may need it.
  static constexpr std::size_t kBaseAt =
      (sizeof(void*) * 4 + sizeof(sqlite3_int64) + alignof(std::max_align_t)) /
      alignof(std::max_align_t) * alignof(std::max_align_t);
  [[nodiscard]] sqlite3_file* base() {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(this) + kBaseAt);
  }
  [[nodiscard]] sqlite3_int64 end() const {
    return pending_at + static_cast<sqlite3_int64>(pending->size());
  }

  int flush() {
    if (pending->empty()) {
      return SQLITE_OK;
    }
    int code = SQLITE_OK;
    for (std::size_t at = 0; at < pending->size() && code == SQLITE_OK; at += kWriteMax) {
      const std::size_t size = std::min(kWriteMax, pending->size() - at);
      code = base()->pMethods->xWrite(base(), pending->data() + at, static_cast<int>(size),
                                      pending_at + static_cast<sqlite3_int64>(at));
    }
    // Also after a failure: SQLite gives the transaction up and writes its frames anew.
    pending->clear();
    return code;
  }
};
static_assert(sizeof(LogFile) <= LogFile::kBaseAt);

LogFile& log_of(sqlite3_file* file) {
  return *reinterpret_cast<LogFile*>(file);
}

/// Writes what is pending, then calls the base.
template <typename F>
int after_flush(sqlite3_file* file, F&& call) {
  LogFile& log = log_of(file);
  const int code = log.flush();
  return code == SQLITE_OK ? call(log.base(), log.base()->pMethods) : code;
}

int close(sqlite3_file* file) {
  LogFile& log = log_of(file);
  const int flushed = log.flush();
  delete log.pending;
  const int closed = log.base()->pMethods->xClose(log.base());
  return flushed == SQLITE_OK ? closed : flushed;
}

int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  return after_flush(file, [&](sqlite3_file* base, const sqlite3_io_methods* methods) {
    return methods->xRead(base, into, size, offset);
  });
}

int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  LogFile& log = log_of(file);
  const auto* bytes = static_cast<const std::byte*>(data);
  if (!log.pending->empty() && offset != log.end()) {
    if (const int code = log.flush(); code != SQLITE_OK) {
      return code;
    }
  }
  if (log.pending->empty()) {
    log.pending_at = offset;
  }
  log.pending->insert(log.pending->end(), bytes, bytes + size);
  if (size == kFrameHeaderBytes) {
    const std::span commit_size(bytes + kCommitSizeAt, 4);
    log.last_frame = std::any_of(commit_size.begin(), commit_size.end(),
                                 [](std::byte byte) { return byte != std::byte{0}; });
    return SQLITE_OK;
  }
  return log.last_frame || log.pending->size() >= kPendingMax ? log.flush() : SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return after_flush(file, [&](sqlite3_file* base, const sqlite3_io_methods* methods) {
    return methods->xTruncate(base, size);
  });
}

int sync(sqlite3_file* file, int flags) {
  return after_flush(file, [&](sqlite3_file* base, const sqlite3_io_methods* methods) {
    return methods->xSync(base, flags);
  });
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return after_flush(file, [&](sqlite3_file* base, const sqlite3_io_methods* methods) {
    return methods->xFileSize(base, size);
  });
}

int lock(sqlite3_file* file, int level) {
  return log_of(file).base()->pMethods->xLock(log_of(file).base(), level);
}
int unlock(sqlite3_file* file, int level) {
  return log_of(file).base()->pMethods->xUnlock(log_of(file).base(), level);
}
int check_reserved_lock(sqlite3_file* file, int* result) {
  return log_of(file).base()->pMethods->xCheckReservedLock(log_of(file).base(), result);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  return after_flush(file, [&](sqlite3_file* base, const sqlite3_io_methods* methods) {
    return methods->xFileControl(base, operation, argument);
  });
}
int sector_size(sqlite3_file* file) {
  return log_of(file).base()->pMethods->xSectorSize(log_of(file).base());
}
int device_characteristics(sqlite3_file* file) {
  return log_of(file).base()->pMethods->xDeviceCharacteristics(log_of(file).base());
}

/// A log is never mapped and holds no shared memory, so the first version of the table is enough.
constexpr sqlite3_io_methods kLogMethods{1,
                                         close,
                                         read,
                                         write,
                                         truncate,
                                         sync,
                                         file_size,
                                         lock,
                                         unlock,
                                         check_reserved_lock,
                                         file_control,
                                         sector_size,
                                         device_characteristics,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr};

struct LogVfs {
  std::string name;
  std::string base_name;
  sqlite3_vfs vfs{};
};

int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  // Looked up each time: one for tests comes and goes.
  sqlite3_vfs* const base =
      sqlite3_vfs_find(static_cast<LogVfs*>(vfs->pAppData)->base_name.c_str());
  CHECK(base != nullptr);
  if ((flags & SQLITE_OPEN_WAL) == 0) {
    return base->xOpen(base, name, file, flags, flags_out);
  }
  LogFile& log = log_of(file);
  log.as_file.pMethods = nullptr;  // Not to be closed until it is open.
  const int code = base->xOpen(base, name, log.base(), flags, flags_out);
  if (log.base()->pMethods == nullptr) {
    return code;
  }
  if (code != SQLITE_OK) {
    log.base()->pMethods->xClose(log.base());
    return code;
  }
  log.pending = new std::vector<std::byte>;  // close() is its end.
  log.pending_at = 0;
  log.last_frame = false;
  log.as_file.pMethods = &kLogMethods;
  return SQLITE_OK;
}

// What other methods of the base find in their argument is the base's, not ours.
template <auto Method, typename... Args>
auto forward(sqlite3_vfs* vfs, Args... args) {
  sqlite3_vfs* const base =
      sqlite3_vfs_find(static_cast<LogVfs*>(vfs->pAppData)->base_name.c_str());
  return (base->*Method)(base, args...);
}

}  // namespace

std::string log_vfs(const std::string& base) {
  // SQLite's list of VFSs is the process's own, and ours hang in it for good.
  static Guarded<std::list<LogVfs>> registered;
  return registered.with([&](std::list<LogVfs>& all) {
    const std::string name = base + "-log";
    for (const LogVfs& known : all) {
      if (known.name == name) {
        return name;
      }
    }
    const sqlite3_vfs* const original = sqlite3_vfs_find(base.c_str());
    CHECK(original != nullptr);
    LogVfs& ours = all.emplace_back(LogVfs{name, base, *original});
    ours.vfs.zName = ours.name.c_str();
    ours.vfs.pAppData = &ours;
    ours.vfs.szOsFile = original->szOsFile + static_cast<int>(LogFile::kBaseAt);
    ours.vfs.xOpen = open;
    ours.vfs.xDelete = forward<&sqlite3_vfs::xDelete, const char*, int>;
    ours.vfs.xAccess = forward<&sqlite3_vfs::xAccess, const char*, int, int*>;
    ours.vfs.xFullPathname = forward<&sqlite3_vfs::xFullPathname, const char*, int, char*>;
    CHECK(sqlite3_vfs_register(&ours.vfs, 0) == SQLITE_OK);
    return name;
  });
}

}  // namespace roadstead::db::internal
