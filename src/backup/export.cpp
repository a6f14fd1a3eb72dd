#include "backup/export.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "backup/internal/content.h"
#include "backup/internal/contents.h"
#include "backup/internal/hold_keeper.h"
#include "backup/internal/problems.h"
#include "db/sqlite.h"
#include "sys/copy.h"
#include "sys/file.h"

namespace roadstead::backup {
namespace {

using internal::ContentWriter;
using internal::HoldKeeper;
using internal::RequiredBlob;
namespace fs = std::filesystem;

/// Where CNCF distribution keeps what:
///
///   blobs/<alg>/<2 hex>/<hex>/data                                      blobs and manifests
///   repositories/<name>/_layers/<alg>/<hex>/link                        the repository has the
///   blob repositories/<name>/_manifests/revisions/<alg>/<hex>/link           … the manifest
///   repositories/<name>/_manifests/tags/<tag>/current/link              where the tag points
///   repositories/<name>/_manifests/tags/<tag>/index/<alg>/<hex>/link    where it ever pointed
///
/// A link is a file that holds a digest.
class Tree {
 public:
  explicit Tree(const fs::path& root) : root_(root / "docker" / "registry" / "v2") {}
  [[nodiscard]] const fs::path& root() const { return root_; }
  [[nodiscard]] fs::path data(const model::Digest& digest) const {
    const auto hex = digest.hex();
    return root_ / "blobs" / algorithm(digest) / hex.substr(0, 2) / hex / "data";
  }
  [[nodiscard]] fs::path layer(const std::string& repository, const model::Digest& digest) const {
    return root_ / "repositories" / repository / "_layers" / algorithm(digest) / digest.hex();
  }
  [[nodiscard]] fs::path revision(const std::string& repository,
                                  const model::Digest& digest) const {
    return manifests(repository) / "revisions" / algorithm(digest) / digest.hex();
  }
  [[nodiscard]] fs::path tags(const std::string& repository) const {
    return manifests(repository) / "tags";
  }

 private:
  [[nodiscard]] fs::path manifests(const std::string& repository) const {
    return root_ / "repositories" / repository / "_manifests";
  }
  static std::string_view algorithm(const model::Digest& digest) {
    return crypto::to_string(digest.algorithm());
  }
  fs::path root_;
};

constexpr std::size_t kLinkMax = 1024;

/// Not synced one by one: what a crash leaves half written does not say what it should and is
/// written again.
Result<void> write_link(const fs::path& folder, const model::Digest& digest) {
  const fs::path link = folder / "link";
  const auto present = sys::read_file(link, kLinkMax);
  if (present && *present == digest.to_string()) {
    return {};
  }
  TRY(sys::remove(link));
  TRY(sys::make_directories(folder));
  auto file = TRY(sys::File::open(link, sys::File::Mode::kCreateNew));
  return file.write_at(0, std::as_bytes(std::span(digest.to_string())));
}

Result<void> remove_tree(const fs::path& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  return failed ? Result<void>(system_error(failed.value(), "remove " + path.string()))
                : Result<void>();
}

class Exporter {
 public:
  Exporter(const ExportOptions& options, storage::BlobStore& store, HoldKeeper& hold,
           ExportReport& report)
      : tree_(options.directory), writer_(store, options.link), hold_(hold), report_(report) {}

  Result<void> run(db::ReadSession& session) {
    TRY(sys::make_directories(tree_.root() / "repositories"));
    TRY(internal::each_required(session, [&](const RequiredBlob& blob) {
      return blob.in_database() ? write_row(session, blob) : write_blob(blob);
    }));
    return internal::each_repository(session, [&](const internal::ExportedRepository& repository) {
      return write_repository(session, repository);
    });
  }

 private:
  Result<void> write_blob(const RequiredBlob& blob) {
    TRY(hold_.keep());
    const auto written = writer_.write(blob, tree_.data(blob.digest));
    if (!written) {
      const Error& error = written.error();
      if (error.subject != Subject::kBlob) {
        return error;
      }
      internal::add_problem(report_, error.message + " (" + blob.digest.to_string() + ")");
      return {};
    }
    count(blob);
    report_.copied += *written == ContentWriter::Outcome::kCopied ? 1 : 0;
    report_.linked += *written == ContentWriter::Outcome::kLinked ? 1 : 0;
    return {};
  }

  Result<void> write_row(db::ReadSession& session, const RequiredBlob& blob) {
    const auto bytes = internal::content_in_database(session, blob.digest);
    if (!bytes && bytes.error().subject == Subject::kBlob) {
      internal::add_problem(report_, bytes.error().message);
      return {};
    }
    if (!bytes) {
      return bytes.error();
    }
    report_.copied += TRY(write_bytes(blob.digest, *bytes)) ? 1 : 0;
    count(blob);
    return {};
  }

  void count(const RequiredBlob& blob) {
    ++report_.blobs;
    report_.bytes += blob.size;
  }

  /// False when they were there.
  Result<bool> write_bytes(const model::Digest& digest, std::string_view bytes) {
    const fs::path data = tree_.data(digest);
    const auto present = TRY(internal::size_if_present(data));
    if (present == bytes.size()) {
      return false;
    }
    TRY(sys::make_directories(data.parent_path()));
    TRY(internal::place_file(data, bytes));
    return true;
  }

  Result<void> write_repository(db::ReadSession& session,
                                const internal::ExportedRepository& repository) {
    ++report_.repositories;
    TRY(hold_.keep());
    TRY(internal::each_layer(session, repository.id, [&](const model::Digest& digest) {
      return write_link(tree_.layer(repository.name, digest), digest);
    }));
    const auto write_revision = [&](const internal::StoredManifest& manifest) -> Result<void> {
      ++report_.manifests;
      TRY(write_bytes(manifest.digest, manifest.bytes));
      return write_link(tree_.revision(repository.name, manifest.digest), manifest.digest);
    };
    TRY(internal::each_revision(session, repository.id, write_revision));
    return write_tags(session, repository);
  }

  Result<void> write_tags(db::ReadSession& session,
                          const internal::ExportedRepository& repository) {
    const fs::path tags = tree_.tags(repository.name);
    TRY(sys::make_directories(tags));
    std::set<std::string> live;
    const auto write_tag = [&](const internal::ExportedTag& tag) -> Result<void> {
      ++report_.tags;
      live.insert(tag.name);
      const auto algorithm = crypto::to_string(tag.digest.algorithm());
      TRY(write_link(tags / tag.name / "index" / algorithm / tag.digest.hex(), tag.digest));
      return write_link(tags / tag.name / "current", tag.digest);
    };
    TRY(internal::each_tag(session, repository.id, write_tag));
    const auto present = TRY(sys::list_directory(tags));
    for (const std::string& name : present) {
      if (!live.contains(name)) {
        TRY(remove_tree(tags / name));
      }
    }
    return {};
  }

  Tree tree_;
  ContentWriter writer_;
  HoldKeeper& hold_;
  ExportReport& report_;
};

}  // namespace

Result<ExportReport> export_distribution(Source& source, storage::BlobStore& store,
                                         const ExportOptions& options, const Clock& clock) {
  TRY(sys::make_directories(options.directory));
  const auto lock = TRY(sys::FileLock::acquire(options.directory / ".roadstead-export.lock"));
  const fs::path database = options.directory / ".roadstead-export.db";
  TRY(sys::remove(database));  // Of an export that was cut off.
  ExportReport report;
  const auto hold = TRY(HoldKeeper::take(source, "export to " + options.directory.string()));
  TRY(source.copy_database(database));
  const auto exported = db::read_sqlite_file(database, clock, [&](db::ReadSession& session) {
    return Exporter(options, store, *hold, report).run(session);
  });
  TRY(sys::remove(database));
  TRY(exported);
  TRY(hold->renew());  // Had it ended early, something could be missing.
  TRY(sys::sync_file_system(options.directory));
  return report;
}

}  // namespace roadstead::backup
