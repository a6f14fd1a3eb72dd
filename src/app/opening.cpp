#include "app/opening.h"

#include <cstdlib>

#include <fmt/format.h>

#include "db/server.h"
#include "db/sqlite.h"
#include "storage/filesystem.h"
#include "sys/file.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

/// What follows "scheme:"; load_settings() has checked the scheme.
std::string after_scheme(const std::string& url) {
  return url.substr(url.find(':') + 1);
}

std::optional<std::string> variable(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

Result<std::unique_ptr<db::Database>> open_database(const Settings& settings, const Clock& clock,
                                                    log::Logger logger, Schema schema) {
  if (!settings.database_url.starts_with("sqlite:")) {
    db::ServerOptions server = TRY(db::parse_server_url(settings.database_url));
    server.migrate = schema == Schema::kCurrent;
    return db::open_server_database(server, logger);
  }
  db::SqliteOptions options;
  options.migrate = schema == Schema::kCurrent;
  options.path = database_path(settings);
  return std::unique_ptr<db::Database>(TRY(db::SqliteDatabase::open(options, clock, logger)));
}

std::filesystem::path database_path(const Settings& settings) {
  return after_scheme(settings.database_url);
}

std::filesystem::path store_directory(const Settings& settings) {
  return after_scheme(settings.storage_url);
}

Result<std::unique_ptr<storage::BlobStore>> open_store(const Settings& settings,
                                                       storage::S3Observer* observer) {
  if (!settings.storage_url.starts_with("s3:")) {
    return storage::open_filesystem_store(store_directory(settings));
  }
  storage::S3Options options = TRY(s3_options(settings.storage_url));
  options.observer = observer;
  options.spool = std::filesystem::path(settings.data_dir) / "spool";
  TRY(sys::make_directories(options.spool.string()));
  return storage::open_s3_store(options);
}

Result<storage::S3Options> s3_options(std::string_view url) {
  return storage::parse_s3_url(url, &variable);
}

Result<std::unique_ptr<storage::DiskCache>> open_cache(const Settings& settings,
                                                       std::unique_ptr<storage::BlobStore> store) {
  return storage::DiskCache::open(std::move(store),
                                  {settings.storage_cache_dir, settings.storage_cache_size.value});
}

Result<api::oci::RedirectPolicy> redirect_policy(const Settings& settings) {
  using When = api::oci::RedirectOptions::When;
  api::oci::RedirectOptions options;
  if (settings.storage_redirect != "off") {
    options.when = settings.storage_redirect == "size" ? When::kLarge : When::kAlways;
  }
  options.size_min = settings.storage_redirect_min_size.value;
  options.lifetime = settings.storage_redirect_lifetime;
  options.except_agents = settings.storage_redirect_except_agents;
  options.except_networks = settings.storage_redirect_except_networks;
  return api::oci::RedirectPolicy::make(std::move(options));
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
  // What is staged in an object store outlives this machine's boot, and serves other machines too.
  options.boot_id = settings.storage_url.starts_with("s3:") ? "object store" : TRY(sys::boot_id());
  return options;
}

Result<void> require_installation(const Settings& settings) {
  // Replicas share a key that lies elsewhere: then the directory itself has to do.
  const std::filesystem::path directory = settings.data_dir;
  const auto sign = settings.secret_key_file.empty() ? directory / "secret.key" : directory;
  if (!TRY(sys::exists(sign.string()))) {
    return Error{Code::kNotFound,
                 Subject::kConfiguration,
                 fmt::format("there is no registry in {}: start the server once, it makes one",
                             settings.data_dir),
                 {}};
  }
  return {};
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
