#include <fmt/format.h>
#include <sqlite3.h>

#include "db/internal/sqlite_connection.h"
#include "sys/file.h"

namespace roadstead::db::internal {
namespace {

/// Pages between two looks at the result: 4 MiB.
constexpr int kPagesPerStep = 1024;

struct Closer {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};
struct Finisher {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};
using Handle = std::unique_ptr<sqlite3, Closer>;

Error copy_error(int code, const std::filesystem::path& path) {
  const bool full = (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_IOERR;
  return Error{
      full ? Code::kUnavailable : Code::kInternal,
      Subject::kDatabase,
      fmt::format("copy the database to {}: {} ({})", path.string(), sqlite3_errstr(code), code),
      {}};
}

Result<Handle> open_target(const std::filesystem::path& path) {
  // Made by us, so that it is 0600 from the beginning.
  TRY(sys::File::open(path, sys::File::Mode::kCreateNew));
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, "unix");
  Handle handle(raw);
  if (code != SQLITE_OK) {
    return copy_error(code, path);
  }
  // An unfinished copy is thrown away, and a finished one is synced by whoever asked for it.
  const int set = sqlite3_exec(raw, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", nullptr,
                               nullptr, nullptr);
  if (set != SQLITE_OK) {
    return copy_error(set, path);
  }
  return handle;
}

}  // namespace

Result<void> SqliteConnection::copy_to(const std::filesystem::path& path) {
  // Without a transaction of its own the copy would begin again after each commit of anybody.
  CHECK(in_transaction());
  const Handle target = TRY(open_target(path));
  const std::unique_ptr<sqlite3_backup, Finisher> backup(
      sqlite3_backup_init(target.get(), "main", handle_, "main"));
  if (backup == nullptr) {
    return copy_error(sqlite3_errcode(target.get()), path);
  }
  int code = SQLITE_OK;
  while (code == SQLITE_OK) {
    code = sqlite3_backup_step(backup.get(), kPagesPerStep);
  }
  if (code != SQLITE_DONE) {
    return copy_error(code, path);
  }
  return {};
}

}  // namespace roadstead::db::internal
