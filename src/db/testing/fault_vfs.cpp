#include "db/testing/fault_vfs.h"

#include <atomic>
#include <list>
#include <optional>

#include <sqlite3.h>

#include "base/check.h"
#include "base/guarded.h"

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

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const int code = current.load()->decide(Call::kWrite);
    return code != SQLITE_OK ? code : original_of(file).xWrite(file, data, size, offset);
  }
  static int sync(sqlite3_file* file, int flags) {
    const int code = current.load()->decide(Call::kSync);
    return code != SQLITE_OK ? code : original_of(file).xSync(file, flags);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    const int code = current.load()->decide(Call::kTruncate);
    return code != SQLITE_OK ? code : original_of(file).xTruncate(file, size);
  }
  static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    State& self = *current.load();
    const int code = self.platform->xOpen(self.platform, name, file, flags, out);
    if (code == SQLITE_OK) {
      file->pMethods = &self.patched(file->pMethods).methods;
    }
    return code;
  }

  const PatchedMethods& patched(const sqlite3_io_methods* original) {
    return tables.with([&](std::list<PatchedMethods>& known) -> const PatchedMethods& {
      for (const PatchedMethods& table : known) {
        if (table.original == original) {
          return table;
        }
      }
      PatchedMethods& table = known.emplace_back(PatchedMethods{*original, original});
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
