#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "db/sqlite.h"
#include "db/testing/statement_faults.h"
#include "registry/caller.h"
#include "registry/options.h"
#include "registry/remove.h"
#include "registry/upload.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"
#include "sys/file.h"

namespace roadstead::registry::testing {

/// A registry on real files below one directory, as an installation has them: SQLite and blobs. May
/// be opened on what an earlier one, or a loss of power, left there. Operations are asked for by an
/// administrator, in project "p". Failures to open abort.
class DiskRegistry {
 public:
  struct Place {
    std::filesystem::path root;
    std::string vfs;      ///< Of SQLite (SqliteOptions::vfs).
    std::string boot_id;  ///< Another one after a loss of power.
  };
  DiskRegistry(const Place& place, const Clock& clock);

  Result<std::string> start(const std::string& name);
  Result<void> patch(const std::string& name, const std::string& id, std::string_view bytes);
  /// Ends the upload with `rest`; `whole` is what its digest is of.
  Result<void> put(const std::string& name, const std::string& id, std::string_view rest,
                   std::string_view whole);
  Result<void> cancel(const std::string& name, const std::string& id);
  /// In a single request.
  Result<void> upload(const std::string& name, std::string_view content);
  Result<bool> mount(const std::string& name, std::string_view content, const std::string& from);
  /// Under its digest when `tag` is empty.
  Result<void> push(const std::string& name, const std::string& tag, std::string_view manifest);
  Result<void> remove_manifest(const std::string& name, std::string_view manifest);
  Result<void> remove_tag(const std::string& name, const std::string& tag);
  Result<void> remove_blob(const std::string& name, std::string_view content);
  Result<void> remove_repository(const std::string& name);

  /// What clients can see and what the project uses, a line each, in order. Reads every byte;
  /// "TORN" says that something is not whole.
  std::string observe();
  /// Rows of each table, what the project uses, and files: what must balance.
  std::map<std::string, std::int64_t> census();

  [[nodiscard]] std::filesystem::path storage() const { return root_ / "storage"; }

 private:
  void prepare();
  std::string rows(std::string_view title, std::string_view sql);
  std::string contents();
  [[nodiscard]] Caller caller(auth::Action action) const;

  std::filesystem::path root_;
  sys::File nowhere_;  ///< Failures that are made on purpose need no log.
  log::Sink sink_;

 public:
  std::unique_ptr<db::SqliteDatabase> database;
  db::testing::StatementFaults statements;  ///< What all operations work on.
  std::unique_ptr<storage::BlobStore> store;
  storage::DigestLocks locks;
  Options options;
  std::unique_ptr<Uploads> uploads;

 private:
  auth::Principal admin_;
};

}  // namespace roadstead::registry::testing
