#include "app/opening.h"

#include "storage/filesystem.h"

namespace roadstead::app {
namespace {

/// What follows "scheme:"; load_settings() has checked the scheme.
std::string after_scheme(const std::string& url) {
  return url.substr(url.find(':') + 1);
}

}  // namespace

Result<std::unique_ptr<db::SqliteDatabase>> open_database(const Settings& settings,
                                                          const Clock& clock, log::Logger logger) {
  db::SqliteOptions options;
  options.path = database_path(settings);
  return db::SqliteDatabase::open(options, clock, logger);
}

std::filesystem::path database_path(const Settings& settings) {
  return after_scheme(settings.database_url);
}

Result<std::unique_ptr<storage::BlobStore>> open_store(const Settings& settings) {
  return storage::open_filesystem_store(after_scheme(settings.storage_url));
}

}  // namespace roadstead::app
