#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "api/oci/redirect.h"
#include "app/data_directory.h"
#include "app/settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "db/database.h"
#include "registry/options.h"
#include "storage/blob_store.h"
#include "storage/disk_cache.h"
#include "storage/s3.h"

namespace roadstead::app {

/// What becomes of a schema that is older than this program.
enum class Schema : std::uint8_t { kCurrent, kAsItIs };
/// The database and the store that the settings name. The only place that chooses between kinds of
/// them.
Result<std::unique_ptr<db::Database>> open_database(const Settings& settings, const Clock& clock,
                                                    log::Logger logger,
                                                    Schema schema = Schema::kCurrent);
/// `observer` may be null; it outlives the store.
Result<std::unique_ptr<storage::BlobStore>> open_store(const Settings& settings,
                                                       storage::S3Observer* observer = nullptr);
/// The store with copies of what is read most in front of it, where the settings want them.
Result<std::unique_ptr<storage::DiskCache>> open_cache(const Settings& settings,
                                                       std::unique_ptr<storage::BlobStore> store);
/// What an s3:// URL says, with credentials and defaults from the environment. Errors: kInvalid +
/// kConfiguration.
Result<storage::S3Options> s3_options(std::string_view url);
/// Which downloads are sent to the store. Errors: kInvalid + kConfiguration.
Result<api::oci::RedirectPolicy> redirect_policy(const Settings& settings);
/// What the settings say of repositories; all but what a server makes of its secret key. Errors:
/// as sys::boot_id().
Result<registry::Options> registry_options(const Settings& settings);

/// Errors: kNotFound + kConfiguration where no server has ever been started with these settings: a
/// command must not make an installation.
Result<void> require_installation(const Settings& settings);

/// An installation without a server, for a command: the data directory is ours while this lives,
/// and warnings go to standard error.
class StoppedInstallation {
 public:
  /// Errors: as DataDirectory::open() and open_database().
  static Result<std::unique_ptr<StoppedInstallation>> open(const Settings& settings);
  explicit StoppedInstallation(DataDirectory directory);

  [[nodiscard]] db::Database& database() { return *database_; }
  [[nodiscard]] const DataDirectory& directory() const { return directory_; }
  [[nodiscard]] log::Logger logger() { return log::Logger(sink_); }

 private:
  SystemClock clock_;
  DataDirectory directory_;
  log::Sink sink_;
  std::unique_ptr<db::Database> database_;
};

/// Where a store in files lies.
std::filesystem::path store_directory(const Settings& settings);
/// Where the embedded database lies.
std::filesystem::path database_path(const Settings& settings);

}  // namespace roadstead::app
