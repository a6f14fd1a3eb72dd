#include "db/testing/fault_vfs.h"

#include <errno.h>

#include <atomic>
#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include <sqlite3.h>

#include "base/check.h"
#include "base/guarded.h"
#include "sys/faults.h"

namespace roadstead::db::testing {

namespace {

/// A method table of the platform with some entries replaced. `methods` comes first, so that a
/// file's pMethods leads to the rest.
struct PatchedMethods {
  sqlite3_io_methods methods;
  const sqlite3_io_methods* original;
};

const sqlite3_io_methods& original_of(const sqlite3_file* file) {
  return *reinterpret_cast<const PatchedMethods*>(file->pMethods)->original;
}

}  // namespace

/// The platform's VFS with another xOpen, which gives each file a patched method table.
struct FaultVfs::State {
  struct Plan {
    std::size_t skip = 0;
    std::size_t count = 0;
    int code = SQLITE_OK;
    std::optional<Call> only;
    std::size_t failed = 0;
  };

  sqlite3_vfs vfs = {};
  sqlite3_vfs* platform = nullptr;
  Guarded<Plan> plan;
  Guarded<std::list<PatchedMethods>> tables;  // The platform has a few: with locks, without, …
  struct Open {
    std::filesystem::path path;
    bool name_unsynced = false;  ///< Its first sync is one of its directory, too.
  };
  Guarded<std::map<const sqlite3_file*, Open>> files;
  // SQLite hands no context to file methods, so the one living VFS is found here.
  static inline std::atomic<State*> current = nullptr;

  int decide(Call call) {
    return plan.with([&](Plan& now) {
      if (now.count == 0 || now.only.value_or(call) != call) {
        return SQLITE_OK;
      }
      if (now.skip > 0) {
        --now.skip;
        return SQLITE_OK;
      }
      --now.count;
      ++now.failed;
      return now.code;
    });
  }

  std::filesystem::path path_of(const sqlite3_file* file) {
    return files.with([&](const auto& open) {
      const auto found = open.find(file);
      return found == open.end() ? std::filesystem::path() : found->second.path;
    });
  }

  /// What sys/faults.h says to a call, as SQLite says it.
  static int announce(std::string_view call, const std::filesystem::path& path, int code) {
    const int error_number = sys::fault(call, path);
    if (error_number == 0) {
      return SQLITE_OK;
    }
    return error_number == ENOSPC && code == SQLITE_IOERR_WRITE ? SQLITE_FULL : code;
  }

  static int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    const int code = announce("read", current.load()->path_of(file), SQLITE_IOERR_READ);
    return code != SQLITE_OK ? code : original_of(file).xRead(file, data, size, offset);
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    int code = current.load()->decide(Call::kWrite);
    if (code == SQLITE_OK) {
      code = announce("write", current.load()->path_of(file), SQLITE_IOERR_WRITE);
    }
    return code != SQLITE_OK ? code : original_of(file).xWrite(file, data, size, offset);
  }
  static int sync(sqlite3_file* file, int flags) {
    State& self = *current.load();
    const std::filesystem::path path = self.path_of(file);
    int code = self.decide(Call::kSync);
    if (code == SQLITE_OK) {
      code = announce("fsync", path, SQLITE_IOERR_FSYNC);
    }
    if (code == SQLITE_OK && self.take_name_unsynced(file)) {
      code = announce("fsync", path.parent_path(), SQLITE_IOERR_DIR_FSYNC);
    }
    return code != SQLITE_OK ? code : original_of(file).xSync(file, flags);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    int code = current.load()->decide(Call::kTruncate);
    if (code == SQLITE_OK) {
      code = announce("ftruncate", current.load()->path_of(file), SQLITE_IOERR_TRUNCATE);
    }
    return code != SQLITE_OK ? code : original_of(file).xTruncate(file, size);
  }
  static int close(sqlite3_file* file) {
    current.load()->files.with([&](auto& open) { open.erase(file); });
    return original_of(file).xClose(file);
  }
  static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    State& self = *current.load();
    const std::filesystem::path path = name == nullptr ? "" : name;
    if (const int refused = announce("open", path, SQLITE_CANTOPEN); refused != SQLITE_OK) {
      file->pMethods = nullptr;
      return refused;
    }
    const int code = self.platform->xOpen(self.platform, name, file, flags, out);
    if (code == SQLITE_OK) {
      file->pMethods = &self.patched(file->pMethods).methods;
      // As the platform's own does (UNIXFILE_DIRSYNC).
      constexpr int kJournals =
          SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
      const bool unsynced = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kJournals) != 0;
      self.files.with([&](auto& open_files) { open_files[file] = {path, unsynced}; });
    }
    return code;
  }
  static int remove(sqlite3_vfs*, const char* name, int sync_directory) {
    const int code = announce("unlink", name, SQLITE_IOERR_DELETE);
    sqlite3_vfs* const platform = current.load()->platform;
    return code != SQLITE_OK ? code : platform->xDelete(platform, name, sync_directory);
  }

  bool take_name_unsynced(const sqlite3_file* file) {
    return files.with([&](auto& open) {
      const auto found = open.find(file);
      return found != open.end() && std::exchange(found->second.name_unsynced, false);
    });
  }

  const PatchedMethods& patched(const sqlite3_io_methods* original) {
    return tables.with([&](std::list<PatchedMethods>& known) -> const PatchedMethods& {
      for (const PatchedMethods& table : known) {
        if (table.original == original) {
          return table;
        }
      }
      PatchedMethods& table = known.emplace_back(PatchedMethods{*original, original});
      table.methods.xClose = close;
      table.methods.xRead = read;
      table.methods.xWrite = write;
      table.methods.xSync = sync;
      table.methods.xTruncate = truncate;
      return table;
    });
  }
};

FaultVfs::FaultVfs() : state_(std::make_unique<State>()) {
  CHECK(State::current.exchange(state_.get()) == nullptr);
  state_->platform = sqlite3_vfs_find("unix-excl");
  CHECK(state_->platform != nullptr);
  state_->vfs = *state_->platform;
  state_->vfs.zName = "roadstead-faults";
  state_->vfs.xOpen = State::open;
  state_->vfs.xDelete = State::remove;
  CHECK(sqlite3_vfs_register(&state_->vfs, 0) == SQLITE_OK);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&state_->vfs);
  State::current = nullptr;
}

std::string FaultVfs::name() const {
  return state_->vfs.zName;
}

void FaultVfs::fail_after(std::size_t skip, std::size_t count, int code) {
  state_->plan.with([&](State::Plan& plan) { plan = {skip, count, code, std::nullopt, 0}; });
}

void FaultVfs::fail_after(std::size_t skip, std::size_t count, int code, Call only) {
  state_->plan.with([&](State::Plan& plan) { plan = {skip, count, code, only, 0}; });
}

std::size_t FaultVfs::stop_failing() {
  return state_->plan.with([](State::Plan& plan) {
    plan.count = 0;
    return plan.failed;
  });
}

}  // namespace roadstead::db::testing
