#include "app/opening.h"

#include "db/server.h"
#include "db/sqlite.h"
#include "storage/filesystem.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

/// What follows "scheme:"; load_settings() has checked the scheme.
std::string after_scheme(const std::string& url) {
  return url.substr(url.find(':') + 1);
}

}  // namespace

Result<std::unique_ptr<db::Database>> open_database(const Settings& settings, const Clock& clock,
                                                    log::Logger logger) {
  if (!settings.database_url.starts_with("sqlite:")) {
    return db::open_server_database(TRY(db::parse_server_url(settings.database_url)), logger);
  }
  db::SqliteOptions options;
  options.path = database_path(settings);
  return std::unique_ptr<db::Database>(TRY(db::SqliteDatabase::open(options, clock, logger)));
}

std::filesystem::path database_path(const Settings& settings) {
  return after_scheme(settings.database_url);
}

Result<std::unique_ptr<storage::BlobStore>> open_store(const Settings& settings) {
  return storage::open_filesystem_store(after_scheme(settings.storage_url));
}

Result<registry::Options> registry_options(const Settings& settings) {
  registry::Options options;
  options.grace = settings.gc_grace;
  options.lease_override = settings.lease;
  options.upload_lifetime = settings.upload_lifetime;
  options.uploads_per_project_max = settings.uploads_per_project_max;
  options.uploads_per_identity_max = settings.uploads_per_identity_max;
  options.free_space_floor = ByteCount{settings.free_space_floor.value};
  options.sparse_indexes = settings.sparse_indexes;
  options.boot_id = TRY(sys::boot_id());
  return options;
}

Result<std::unique_ptr<StoppedInstallation>> StoppedInstallation::open(const Settings& settings) {
  auto stopped = std::make_unique<StoppedInstallation>(
      TRY(DataDirectory::open(settings.data_dir, settings.secret_key_file)));
  stopped->database_ = TRY(open_database(settings, stopped->clock_, stopped->logger()));
  return stopped;
}

StoppedInstallation::StoppedInstallation(DataDirectory directory)
    : directory_(std::move(directory)),
      sink_(2, log::Format::kText, log::Level::kWarning, clock_) {}

}  // namespace roadstead::app
