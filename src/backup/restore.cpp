#include "backup/restore.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backup/internal/blob_list.h"
#include "backup/internal/content.h"
#include "backup/internal/contents.h"
#include "backup/internal/layout.h"
#include "crypto/hasher.h"
#include "db/sqlite.h"
#include "sys/file.h"

namespace roadstead::backup {
namespace {

using internal::BlobListReader;
using internal::Layout;
using internal::Relocation;
using internal::RequiredBlob;

/// Rows changed in one transaction.
constexpr std::size_t kRelocationsMax = 500;

Error damaged(const RequiredBlob& blob, std::string_view how) {
  return Error{Code::kDigestMismatch, Subject::kBlob,
               fmt::format("{}: {}", blob.digest.to_string(), how), blob.digest.to_string()};
}

/// With content that stays where it is, the data directory may hold the store.
Result<void> check_empty(const RestoreOptions& options, bool content) {
  const bool there = TRY(sys::exists(options.data_directory));
  const auto names =
      there ? TRY(sys::list_directory(options.data_directory)) : std::vector<std::string>();
  for (const std::string& name : names) {
    if (content || name != "storage") {
      return Error{Code::kConflict,
                   Subject::kStorage,
                   fmt::format("{} is not empty ({}): restore into an empty directory",
                               options.data_directory.string(), name),
                   {}};
    }
  }
  if (TRY(sys::exists(options.database))) {
    return Error{Code::kConflict, Subject::kStorage, options.database.string() + " exists", {}};
  }
  return {};
}

Result<void> copy_synced(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto source = TRY(sys::File::open(from, sys::File::Mode::kRead));
  auto target = TRY(sys::File::open(to, sys::File::Mode::kCreateNew));
  std::uint64_t offset = 0;
  const auto append = [&](std::span<const std::byte> bytes) -> Result<void> {
    TRY(target.write_at(offset, bytes));
    offset += bytes.size();
    return {};
  };
  TRY(internal::each_piece(source, append));
  return target.sync_data();
}

/// True when there was one.
Result<bool> copy_secret(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (!TRY(sys::exists(from))) {
    return false;
  }
  const std::string secret = TRY(sys::read_file(from, internal::kSecretMax));
  TRY(sys::replace_file(to, secret));
  return true;
}

/// Stores one blob; the store refuses what does not hash to its name.
Result<storage::Location> store_blob(storage::BlobStore& store, const Layout& layout,
                                     const RequiredBlob& blob) {
  const auto file = TRY(sys::File::open(layout.content(blob.digest), sys::File::Mode::kRead));
  const auto writer =
      TRY(store.begin(blob.digest.algorithm(), static_cast<std::uint64_t>(blob.size)));
  auto stored = internal::each_piece(
      file, [&](std::span<const std::byte> bytes) { return writer->append(bytes); });
  if (stored && writer->offset() != static_cast<std::uint64_t>(blob.size)) {
    stored = damaged(
        blob, fmt::format("{} bytes in the backup instead of {}", writer->offset(), blob.size));
  }
  if (!stored) {
    static_cast<void>(writer->discard());
    return stored.error();
  }
  auto location = writer->commit(blob.digest);
  if (!location) {
    static_cast<void>(writer->discard());
    return location.error().code == Code::kDigestMismatch ? damaged(blob, "damaged in the backup")
                                                          : location.error();
  }
  return location;
}

/// Reads content that was not copied where the database says it lies.
Result<void> verify_in_place(storage::BlobStore& store, const RequiredBlob& blob) {
  const auto reader = TRY(store.open(blob.location));
  crypto::Hasher hasher(blob.digest.algorithm());
  TRY(internal::each_piece(*reader, [&](std::span<const std::byte> bytes) -> Result<void> {
    hasher.update(bytes);
    return {};
  }));
  if (reader->size() != static_cast<std::uint64_t>(blob.size) ||
      hasher.hex_digest() != blob.digest.hex()) {
    return damaged(blob, "damaged in the store");
  }
  return {};
}

/// Content of one restore.
class ContentRestore {
 public:
  ContentRestore(const Layout& layout, storage::BlobStore& store, db::Database& database,
                 RestoreReport& report)
      : layout_(layout), store_(store), database_(database), report_(report) {}

  Result<void> run() {
    BlobListReader list = TRY(BlobListReader::open(layout_.blobs(report_.database)));
    for (;;) {
      const auto blob = TRY(list.next());
      if (!blob) {
        return flush();
      }
      ++report_.blobs;
      report_.bytes += blob->size;
      if (!blob->in_database()) {
        TRY(report_.content ? restore(*blob) : verify_in_place(store_, *blob));
      }
    }
  }

 private:
  Result<void> restore(const RequiredBlob& blob) {
    const storage::Location location = TRY(store_blob(store_, layout_, blob));
    if (location != blob.location) {
      moved_.push_back({blob.digest.to_string(), location.value});
    }
    return moved_.size() < kRelocationsMax ? Result<void>() : flush();
  }
  /// Rows name where this store put the content.
  Result<void> flush() {
    const auto relocate_all = [&](db::WriteSession& session) -> Result<void> {
      for (const Relocation& relocation : moved_) {
        TRY(internal::relocate(session, relocation));
      }
      return {};
    };
    TRY(database_.write(relocate_all));
    moved_.clear();
    return {};
  }

  const Layout& layout_;
  storage::BlobStore& store_;
  db::Database& database_;
  RestoreReport& report_;
  std::vector<Relocation> moved_;
};

/// Brings the copied database to this version and fills the store; closed again when this returns.
Result<void> fill(const RestoreOptions& options, const std::filesystem::path& database_file,
                  const Clock& clock, const log::Logger& logger, RestoreReport& report) {
  db::SqliteOptions how;
  how.path = database_file;
  const auto database = TRY(db::SqliteDatabase::open(how, clock, logger));
  TRY(database->write(internal::drop_unfinished));
  const auto store = TRY(options.open_store());
  return ContentRestore(Layout(options.directory), *store, *database, report).run();
}

}  // namespace

Result<RestoreReport> restore_backup(const RestoreOptions& options, const Clock& clock,
                                     log::Logger logger) {
  const Layout layout(options.directory);
  const internal::Summary summary = TRY(internal::read_summary(layout));
  TRY(check_empty(options, summary.content));
  TRY(db::check_sqlite_file(layout.database(summary.stamp)));
  RestoreReport report;
  report.database = summary.stamp;
  report.content = summary.content;

  TRY(sys::make_directories(options.data_directory));
  TRY(sys::replace_file(options.data_directory / kUnfinished,
                        "from " + layout.root().string() + "\n"));
  if (!TRY(copy_secret(layout.root() / internal::kSecretKey,
                       options.data_directory / internal::kSecretKey))) {
    return Error{
        Code::kInvalid, Subject::kStorage, layout.root().string() + " holds no secret.key", {}};
  }
  report.token_signing_key = TRY(copy_secret(layout.root() / internal::kTokenSigningKey,
                                             options.data_directory / internal::kTokenSigningKey));
  TRY(sys::make_directories(options.database.parent_path()));
  const std::filesystem::path staged = options.database.string() + ".restoring";
  TRY(copy_synced(layout.database(summary.stamp), staged));
  TRY(fill(options, staged, clock, logger, report));
  TRY(sys::rename(staged, options.database));
  TRY(sys::sync_directory(options.database.parent_path()));
  TRY(sys::remove(options.data_directory / kUnfinished));
  TRY(sys::sync_directory(options.data_directory));
  return report;
}

}  // namespace roadstead::backup
