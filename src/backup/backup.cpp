#include "backup/backup.h"

#include <algorithm>

#include "backup/internal/blob_list.h"
#include "backup/internal/content.h"
#include "backup/internal/contents.h"
#include "backup/internal/hold_keeper.h"
#include "backup/internal/layout.h"
#include "backup/internal/problems.h"
#include "backup/internal/prune.h"
#include "db/sqlite.h"
#include "sys/copy.h"
#include "sys/file.h"

namespace roadstead::backup {
namespace {

using internal::BlobListReader;
using internal::BlobListWriter;
using internal::ContentWriter;
using internal::HoldKeeper;
using internal::Layout;
using internal::RequiredBlob;

Result<void> copy_secret(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::string secret = TRY(sys::read_file(from, internal::kSecretMax));
  return sys::replace_file(to, secret);
}

Result<void> copy_secrets(const Layout& layout, const BackupOptions& options) {
  TRY(copy_secret(options.secret_key, layout.root() / internal::kSecretKey));
  if (!options.token_signing_key.empty()) {
    TRY(copy_secret(options.token_signing_key, layout.root() / internal::kTokenSigningKey));
  }
  return {};
}

/// Lists what the copied database needs beside it.
Result<void> list_required(const Layout& layout, const Clock& clock, BackupReport& report) {
  BlobListWriter list = TRY(BlobListWriter::create(layout.blobs(report.database)));
  const auto add = [&](const RequiredBlob& blob) -> Result<void> {
    ++report.blobs;
    report.bytes += blob.size;
    return list.add(blob);
  };
  TRY(db::read_sqlite_file(layout.database(report.database), clock, [&](db::ReadSession& session) {
    return internal::each_required(session, add);
  }));
  return list.finish();
}

void count(ContentWriter::Outcome outcome, const RequiredBlob& blob, BackupReport& report) {
  if (outcome == ContentWriter::Outcome::kCopied) {
    ++report.copied;
    report.copied_bytes += blob.size;
  } else if (outcome == ContentWriter::Outcome::kLinked) {
    ++report.linked;
  }
}

bool lost_in_store(const Error& error) {
  return error.subject == Subject::kBlob &&
         (error.code == Code::kNotFound || error.code == Code::kDigestMismatch);
}

Result<void> copy_content(const Layout& layout, ContentWriter& writer, HoldKeeper& hold,
                          BackupReport& report) {
  BlobListReader list = TRY(BlobListReader::open(layout.blobs(report.database)));
  for (;;) {
    const auto blob = TRY(list.next());
    if (!blob) {
      return {};
    }
    TRY(hold.keep());
    if (blob->in_database()) {
      continue;
    }
    const auto written = writer.write(*blob, layout.content(blob->digest));
    if (written) {
      count(*written, *blob, report);
    } else if (lost_in_store(written.error())) {
      internal::add_problem(report,
                            written.error().message + " (" + blob->digest.to_string() + ")");
    } else {
      return written.error();
    }
  }
}

/// The directory of the backup, private whatever made it.
Result<void> prepare(const Layout& layout) {
  TRY(sys::make_directories(layout.root()));
  std::error_code failed;
  std::filesystem::permissions(layout.root(), std::filesystem::perms::owner_all, failed);
  if (failed) {
    return system_error(failed.value(), "make private " + layout.root().string());
  }
  return sys::make_directories(layout.databases());
}

}  // namespace

Result<BackupReport> make_backup(Source& source, storage::BlobStore& store,
                                 const BackupOptions& options, const Clock& clock) {
  CHECK(options.keep > 0 && options.keep <= kKeepMax);
  const Layout layout(options.directory);
  TRY(prepare(layout));
  const auto lock = TRY(sys::FileLock::acquire(layout.root() / "lock"));
  TRY(internal::discard_unfinished(layout));
  BackupReport report;
  const Time now = clock.now();
  report.database = internal::stamp_of(now);
  // The hold before the snapshot: what the snapshot names then stays until it is copied.
  const auto hold = TRY(HoldKeeper::take(source, "backup to " + layout.root().string()));
  TRY(source.copy_database(layout.database(report.database)));
  TRY(copy_secrets(layout, options));
  TRY(list_required(layout, clock, report));
  if (options.content) {
    ContentWriter writer(store, options.link);
    TRY(copy_content(layout, writer, *hold, report));
  }
  // Had the hold ended early, something could be missing.
  TRY(hold->renew());
  // Names of files and directories; their bytes were synced one by one.
  TRY(sys::sync_file_system(layout.root()));
  TRY(internal::write_summary(layout, {report.database, options.version, format_rfc3339(now),
                                       options.content, report.blobs, report.bytes}));
  report.removed = TRY(internal::prune(layout, options.keep));
  return report;
}

}  // namespace roadstead::backup
