#include <fmt/format.h>

#include "backup/backup.h"
#include "backup/internal/blob_list.h"
#include "backup/internal/content.h"
#include "backup/internal/contents.h"
#include "backup/internal/layout.h"
#include "backup/internal/problems.h"
#include "crypto/hasher.h"
#include "db/sqlite.h"

namespace roadstead::backup {
namespace {

using internal::BlobListReader;
using internal::Layout;
using internal::RequiredBlob;

/// Every manifest hashes to its name.
Result<void> verify_manifests(db::ReadSession& session, VerifyReport& report) {
  return internal::each_manifest(
      session, [&](const internal::StoredManifest& manifest) -> Result<void> {
        if (model::Digest::of(manifest.bytes, manifest.digest.algorithm()) != manifest.digest) {
          internal::add_problem(report, "manifest " + manifest.digest.to_string() + " is damaged");
        }
        return {};
      });
}

/// The list beside the database says what the database says.
Result<void> verify_list(db::ReadSession& session, const Layout& layout, VerifyReport& report) {
  BlobListReader list = TRY(BlobListReader::open(layout.blobs(report.database)));
  const auto compare = [&](const RequiredBlob& blob) -> Result<void> {
    const auto listed = TRY(list.next());
    const bool same = listed && listed->digest == blob.digest && listed->size == blob.size &&
                      listed->location == blob.location;
    if (!same) {
      return Error{
          Code::kInvalid, Subject::kStorage, "the list of content is not that of the database", {}};
    }
    ++report.blobs;
    report.bytes += blob.size;
    if (blob.in_database()) {
      const auto bytes = internal::content_in_database(session, blob.digest);
      if (!bytes) {
        internal::add_problem(report, bytes.error().message);
      }
    }
    return {};
  };
  return internal::each_required(session, compare);
}

Result<void> verify_blob(const Layout& layout, const RequiredBlob& blob, VerifyReport& report) {
  const auto path = layout.content(blob.digest);
  const auto size = TRY(internal::size_if_present(path));
  if (!size) {
    internal::add_problem(report, blob.digest.to_string() + " is missing");
    return {};
  }
  if (*size != static_cast<std::uint64_t>(blob.size)) {
    internal::add_problem(report, fmt::format("{} has {} bytes instead of {}",
                                              blob.digest.to_string(), *size, blob.size));
    return {};
  }
  const auto digest = TRY(internal::digest_of_file(path, blob.digest.algorithm()));
  if (digest != blob.digest) {
    internal::add_problem(report, blob.digest.to_string() + " is damaged");
  }
  return {};
}

Result<void> verify_content(const Layout& layout, VerifyReport& report) {
  BlobListReader list = TRY(BlobListReader::open(layout.blobs(report.database)));
  for (;;) {
    const auto blob = TRY(list.next());
    if (!blob) {
      return {};
    }
    if (!blob->in_database()) {
      TRY(verify_blob(layout, *blob, report));
    }
  }
}

void note(VerifyReport& report, const Result<void>& checked) {
  if (!checked) {
    internal::add_problem(report, checked.error().message);
  }
}

}  // namespace

Result<VerifyReport> verify_backup(const std::filesystem::path& directory, const Clock& clock) {
  const Layout layout(directory);
  const internal::Summary summary = TRY(internal::read_summary(layout));
  VerifyReport report;
  report.database = summary.stamp;
  report.content = summary.content;
  const auto database = layout.database(summary.stamp);
  const auto whole = db::check_sqlite_file(database);
  note(report, whole);
  if (whole) {
    note(report, db::read_sqlite_file(database, clock, [&](db::ReadSession& session) {
           return verify_manifests(session, report);
         }));
    note(report, db::read_sqlite_file(database, clock, [&](db::ReadSession& session) {
           return verify_list(session, layout, report);
         }));
  }
  if (summary.content) {
    note(report, verify_content(layout, report));
  }
  if (const auto key = internal::size_if_present(layout.root() / internal::kSecretKey);
      !key || !*key) {
    internal::add_problem(report, "secret.key is missing");
  }
  return report;
}

}  // namespace roadstead::backup
