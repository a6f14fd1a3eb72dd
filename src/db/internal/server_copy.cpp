#include "db/internal/server_copy.h"

#include <string>

#include "base/clock.h"
#include "db/sqlite.h"
#include "sys/file.h"

namespace roadstead::db::internal {
namespace {

Result<void> fill(const CopyEnd& source, const std::filesystem::path& path,
                  const log::Logger& logger) {
  const SystemClock clock;
  SqliteOptions options;
  options.path = path;
  // Closed at the end of this function: then all of it is in the one file.
  const auto target = TRY(SqliteDatabase::open(options, clock, logger));
  TRY(copy_database(source, {*target, Engine::kSqlite}));
  return {};
}

Result<void> sync(const std::filesystem::path& path) {
  auto file = TRY(sys::File::open(path, sys::File::Mode::kReadWrite));
  TRY(file.sync_data());
  return sys::sync_directory(path.parent_path());
}

}  // namespace

Result<void> copy_to_file(const CopyEnd& source, const std::filesystem::path& path,
                          const log::Logger& logger) {
  // Made by us, so that it is 0600 from the beginning and nobody's file is written to.
  TRY(sys::File::open(path, sys::File::Mode::kCreateNew));
  Result<void> copied = fill(source, path, logger);
  if (copied) {
    copied = sync(path);
  }
  if (!copied) {
    // The first error is the one to tell.
    for (const char* part : {"", "-wal", "-journal"}) {
      static_cast<void>(sys::remove(path.string() + part));
    }
  }
  return copied;
}

}  // namespace roadstead::db::internal
