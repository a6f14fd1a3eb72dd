#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "importer/internal/distribution_layout.h"
#include "importer/internal/pass.h"

namespace roadstead::importer::internal {
namespace {

using registry::ImportedBlob;
using registry::ImportedManifest;
using registry::ImportedTag;

constexpr std::size_t kPage = 1'000;
// Of a transaction (db::Database::write()), and of the memory that waits for one.
constexpr std::size_t kRowsMax = 500;
constexpr std::size_t kBytesMax = std::size_t{8} << 20U;
/// Indexes of indexes: deeper than anybody nests them.
constexpr int kRoundsMax = 32;
constexpr std::array kAlgorithms = {model::Algorithm::kSha256, model::Algorithm::kSha512};

Error changed_meanwhile() {
  return {Code::kConflict, Subject::kBlob, "the blob changed while it was imported", {}};
}

Error manifest_missing() {
  return {Code::kNotFound, Subject::kManifest, "the manifest it names is not here", {}};
}

class RepositoryImport {
 public:
  RepositoryImport(Pass& pass, std::string_view name, const model::RepositoryName& target)
      : pass_(pass), name_(name), target_(target) {}

  Result<void> run() {
    project_ = TRY(pass_.find_project(target_.project()));
    for (const model::Algorithm algorithm : kAlgorithms) {
      TRY(take_revisions(algorithm));
    }
    TRY(flush());
    TRY(take_indexes());
    return take_tags();
  }

 private:
  [[nodiscard]] std::string object(const model::Digest& digest) const {
    return fmt::format("{}@{}", target_.to_string(), digest.to_string());
  }
  [[nodiscard]] std::string object(const std::string& tag) const {
    return fmt::format("{}:{}", target_.to_string(), tag);
  }
  [[nodiscard]] registry::ImportPlace place() const {
    return {project_.value_or(ProjectId{}), target_, pass_.parts.administrator.name};
  }

  Result<void> take_revisions(model::Algorithm algorithm) {
    const std::string folder = revisions_folder(name_, algorithm);
    for (std::string cursor;;) {
      TRY(pass_.go_on());
      const auto page = pass_.source.list(folder, cursor, kPage);
      if (!page) {
        return pass_.forgive(target_.to_string(), page.error());
      }
      std::vector<model::Digest> digests;
      for (const std::string& hex : page->names) {
        const std::string text = fmt::format("{}:{}", crypto::to_string(algorithm), hex);
        const auto digest = model::Digest::parse(text);
        if (digest) {
          digests.push_back(*digest);
        } else {
          pass_.add_problem(fmt::format("{}@{}", target_.to_string(), text), digest.error());
        }
      }
      TRY(take_new(digests));
      if (page->next.empty()) {
        return {};
      }
      cursor = page->next;
    }
  }

  /// Passes over what is here without reading anything of it.
  Result<void> take_new(const std::vector<model::Digest>& digests) {
    std::set<std::string> present;
    if (project_) {
      present = TRY(pass_.parts.database.read([&](db::ReadSession& session) {
        return registry::imported_manifests(session, place(), digests);
      }));
      pass_.report.with([&](ImportReport& now) {
        now.manifests_present += static_cast<std::int64_t>(present.size());
      });
    }
    for (const model::Digest& digest : digests) {
      TRY(pass_.go_on());
      if (!present.contains(digest.to_string())) {
        TRY(take_revision(digest));
      }
    }
    return {};
  }

  /// Indexes wait until everything that they may name is here.
  Result<void> take_revision(const model::Digest& digest) {
    auto manifest = read_manifest(pass_, name_, digest);
    if (!manifest) {
      return left_out(digest, manifest.error());
    }
    if (manifest->manifest.kind == model::Manifest::Kind::kIndex) {
      indexes_.insert(digest);
      return {};
    }
    return add(std::move(*manifest));
  }

  Result<void> left_out(const model::Digest& digest, const Error& error) {
    TRY(pass_.go_on());  // It may be what the failure is.
    const bool deleted = error.code == Code::kNotFound && error.subject == Subject::kArtifact;
    return deleted ? Result<void>() : pass_.forgive(object(digest), error);
  }

  /// Those whose children wait no longer, again and again: an index may name an index.
  Result<void> take_indexes() {
    for (int round = 0; round < kRoundsMax && !indexes_.empty(); ++round) {
      const std::set<model::Digest> waiting = std::exchange(indexes_, {});
      for (const model::Digest& digest : waiting) {
        TRY(pass_.go_on());
        TRY(take_index(digest, waiting));
      }
      TRY(flush());
    }
    for (const model::Digest& digest : indexes_) {
      pass_.add_problem(object(digest),
                        {Code::kInvalid, Subject::kManifest, "indexes nest too deeply", {}});
    }
    return {};
  }

  Result<void> take_index(const model::Digest& digest, const std::set<model::Digest>& waiting) {
    auto index = read_manifest(pass_, name_, digest);
    if (!index) {
      return left_out(digest, index.error());
    }
    const auto& children = index->manifest.manifests;
    if (std::any_of(children.begin(), children.end(), [&](const model::Descriptor& child) {
          return waiting.contains(child.digest);
        })) {
      indexes_.insert(digest);
      return {};
    }
    return add(std::move(*index));
  }

  Result<void> add(ImportedManifest manifest) {
    rows_ += registry::rows_of(manifest);
    bytes_ += manifest.bytes.size() + manifest.config.size();
    batch_.push_back(std::move(manifest));
    return rows_ < kRowsMax && bytes_ < kBytesMax ? Result<void>() : flush();
  }

  /// All of the batch, or each that can be.
  Result<void> flush() {
    const std::vector<ImportedManifest> batch = std::exchange(batch_, {});
    rows_ = 0;
    bytes_ = 0;
    if (batch.empty()) {
      return {};
    }
    if (!project_) {
      const auto made = pass_.make_project(target_.project());
      if (!made) {
        return pass_.forgive(target_.to_string(), made.error());
      }
      project_ = *made;
    }
    const auto whole = write(batch);
    if (whole || whole.error().code == Code::kUnavailable) {
      return whole;
    }
    for (const ImportedManifest& manifest : batch) {
      const auto alone = write(std::span(&manifest, 1));
      if (!alone) {
        TRY(pass_.forgive(object(manifest.digest), alone.error()));
      }
    }
    return {};
  }

  Result<void> write(std::span<const ImportedManifest> manifests) {
    const auto fresh = TRY(
        registry::import_manifests(pass_.parts.database, pass_.parts.options, place(), manifests));
    for (const ImportedBlob& blob : fresh) {
      TRY(look_again(blob));
    }
    pass_.report.with([&](ImportReport& now) {
      now.manifests += static_cast<std::int64_t>(manifests.size());
      for (const ImportedBlob& blob : fresh) {
        ++now.blobs;
        now.bytes += static_cast<std::int64_t>(blob.size);
      }
    });
    return {};
  }

  /// A collector that had decided to remove the content before its row was written has done so
  /// under this lock; later ones find the row.
  Result<void> look_again(const ImportedBlob& blob) {
    const auto guard = pass_.parts.locks.lock(blob.digest.to_string());
    const auto size = pass_.parts.store.stat(blob.location);
    if (!size || *size != blob.size) {
      pass_.add_problem(object(blob.digest), size ? changed_meanwhile() : size.error());
    }
    return {};
  }

  Result<void> take_tags() {
    const std::string folder = tags_folder(name_);
    for (std::string cursor;;) {
      TRY(pass_.go_on());
      const auto page = pass_.source.list(folder, cursor, kPage);
      if (!page) {
        return pass_.forgive(target_.to_string(), page.error());
      }
      std::vector<ImportedTag> tags;
      for (const std::string& name : page->names) {
        TRY(read_tag(name, tags));
      }
      TRY(take_new(std::move(tags)));
      if (page->next.empty()) {
        return {};
      }
      cursor = page->next;
    }
  }

  Result<void> read_tag(const std::string& name, std::vector<ImportedTag>& tags) {
    const auto tag = model::Tag::parse(name);
    const auto digest = tag ? read_link(pass_.source, tag_link(name_, name)) : tag.error();
    if (!digest) {
      return pass_.forgive(object(name), digest.error());
    }
    tags.push_back({*tag, *digest, {}});
    return {};
  }

  Result<void> take_new(std::vector<ImportedTag> tags) {
    std::set<std::string> present;
    if (project_) {
      present = TRY(pass_.parts.database.read([&](db::ReadSession& session) {
        return registry::imported_tags(session, place(), tags);
      }));
    }
    pass_.report.with(
        [&](ImportReport& now) { now.tags_present += static_cast<std::int64_t>(present.size()); });
    std::erase_if(tags,
                  [&](const ImportedTag& tag) { return present.contains(tag.tag.to_string()); });
    for (std::size_t first = 0; first < tags.size(); first += registry::kImportTagsMax) {
      TRY(pass_.go_on());
      TRY(write(
          std::span(tags).subspan(first, std::min(registry::kImportTagsMax, tags.size() - first))));
    }
    return {};
  }

  Result<void> write(std::span<ImportedTag> tags) {
    for (ImportedTag& tag : tags) {
      const auto status = pass_.source.stat(tag_link(name_, tag.tag.to_string()));
      if (!status && status.error().code == Code::kUnavailable) {
        return status.error();
      }
      tag.pushed_at = status ? std::optional(status->modified_at) : std::nullopt;
    }
    if (!project_) {
      for (const ImportedTag& tag : tags) {
        pass_.add_problem(object(tag.tag.to_string()), manifest_missing());
      }
      return {};
    }
    const auto done =
        TRY(registry::import_tags(pass_.parts.database, place(), tags, pass_.options.move_tags));
    pass_.report.with([&](ImportReport& now) {
      now.tags += done.created;
      now.tags_moved += done.moved;
      now.tags_present += done.present;
      now.tags_kept += done.kept;
    });
    for (const std::string& tag : done.missing) {
      pass_.add_problem(object(tag), manifest_missing());
    }
    return {};
  }

  Pass& pass_;
  const std::string name_;
  const model::RepositoryName& target_;
  std::optional<ProjectId> project_;
  std::set<model::Digest> indexes_;
  std::vector<ImportedManifest> batch_;
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<void> import_repository(Pass& pass, std::string_view source_name,
                               const model::RepositoryName& target) {
  return RepositoryImport(pass, source_name, target).run();
}

}  // namespace roadstead::importer::internal
