#pragma once

#include <filesystem>
#include <memory>

#include "app/settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "db/sqlite.h"
#include "storage/blob_store.h"

namespace roadstead::app {

/// The database and the store that the settings name. The only place that chooses between kinds of
/// them.
Result<std::unique_ptr<db::SqliteDatabase>> open_database(const Settings& settings,
                                                          const Clock& clock, log::Logger logger);
Result<std::unique_ptr<storage::BlobStore>> open_store(const Settings& settings);
/// Where the embedded database lies.
std::filesystem::path database_path(const Settings& settings);

}  // namespace roadstead::app
