#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "registry/blob_content.h"
#include "registry/internal/artifact_kind.h"
#include "registry/internal/batch.h"
#include "registry/internal/push_rows.h"

namespace roadstead::registry::internal {
namespace {

constexpr std::size_t kMissingMax = 100;

struct FoundHeld {
  Held held;
  storage::Location location;
  std::string bytes{};  ///< Of a config that is a row.
};

using HeldHere = std::map<std::string, FoundHeld, std::less<>>;

/// What the repository holds of the blobs that the manifest may name, by digest.
Result<HeldHere> find_held_here(db::ReadSession& session, RepositoryId repository,
                                const model::Manifest& manifest) {
  static const std::string kSql =
      "SELECT b.id, b.size, b.location, b.digest, CASE WHEN b.digest = ? THEN (SELECT c.bytes FROM "
      "blob_content c WHERE c.blob_id = b.id) END FROM blob b JOIN repository_blob rb ON "
      "rb.repository_id = ? AND rb.blob_id = b.id WHERE b.damaged_at IS NULL AND b.digest IN " +
      std::string(kBatchList);
  std::set<std::string_view> digests;
  const auto add = [&](const model::Descriptor& descriptor) {
    digests.insert(descriptor.digest.to_string());
  };
  if (manifest.config) {
    add(*manifest.config);
  }
  std::for_each(manifest.layers.begin(), manifest.layers.end(), add);
  for (const model::Descriptor& child : manifest.manifests) {
    if (!model::is_manifest_type(child.media_type)) {
      add(child);
    }
  }
  const std::vector<std::string_view> all(digests.begin(), digests.end());
  const std::string_view config =
      manifest.config ? manifest.config->digest.to_string() : std::string_view();
  HeldHere held;
  TRY(in_batches(std::span(all), [&](std::span<const std::string_view> some) {
    return session.each(kSql, batch_params({config, repository}, some), [&](const db::Row& row) {
      held.emplace(row.text(3),
                   FoundHeld{*held_from(row, 0), storage::Location{std::string(row.text(2))},
                             std::string(row.text(4))});
      return true;
    });
  }));
  return held;
}

struct FoundChild {
  ArtifactId id;
  std::int64_t size = 0;
};

Result<std::optional<FoundChild>> find_child_here(db::ReadSession& session, RepositoryId repository,
                                                  const model::Digest& digest) {
  return session.first("SELECT id, size FROM artifact WHERE repository_id = ? AND digest = ?",
                       {repository, digest.to_string()}, [](const db::Row& row) {
                         return FoundChild{row.id<ArtifactId>(0), row.integer(1)};
                       });
}

/// Collects references one descriptor at a time.
class Resolver {
 public:
  Resolver(db::ReadSession& session, std::optional<RepositoryId> repository, HeldHere held)
      : session_(session), repository_(repository), held_(std::move(held)) {}

  void add_blob(const model::Descriptor& descriptor) {
    if (!seen_.insert(descriptor.digest.to_string()).second) {
      return;
    }
    found.size += descriptor.size;
    if (const FoundHeld* held = lookup(descriptor.digest)) {
      found.blobs.push_back(held->held);
    } else if (descriptor.distributable()) {
      add_missing(descriptor.digest);
    }
  }

  void add_config(const model::Descriptor& descriptor) {
    const FoundHeld* held = lookup(descriptor.digest);
    if (held != nullptr && held->location.value == kInlineLocation) {
      found.config_bytes = held->bytes;
    } else if (held != nullptr) {
      found.config = held->location;
      found.config_size = held->held.size;
    }
    add_blob(descriptor);
  }

  /// A child is a manifest; build caches also put plain blobs into an index.
  Result<void> add_child(const model::Descriptor& descriptor, std::int64_t position, bool sparse) {
    if (seen_.contains(descriptor.digest.to_string())) {
      return {};
    }
    std::optional<FoundChild> child;
    if (repository_) {
      child = TRY(find_child_here(session_, *repository_, descriptor.digest));
    }
    if (!child && !model::is_manifest_type(descriptor.media_type)) {
      add_blob(descriptor);
      return {};
    }
    seen_.insert(descriptor.digest.to_string());
    if (child) {
      found.size += child->size;
      found.children.push_back(
          {child->id, descriptor.digest.to_string(), position, descriptor_json(descriptor)});
    } else if (!sparse) {
      add_missing(descriptor.digest);
    }
    return {};
  }

  References found;

 private:
  [[nodiscard]] const FoundHeld* lookup(const model::Digest& digest) const {
    const auto found_here = held_.find(digest.to_string());
    return found_here == held_.end() ? nullptr : &found_here->second;
  }
  void add_missing(const model::Digest& digest) {
    if (found.missing.size() < kMissingMax) {
      found.missing.push_back(digest.to_string());
    }
  }

  db::ReadSession& session_;
  std::optional<RepositoryId> repository_;
  HeldHere held_;
  std::set<std::string> seen_;
};

}  // namespace

bool resolves_at_once(const model::Manifest& manifest) {
  return manifest.manifests.empty() && manifest.layers.size() < kBatch;
}

Result<References> resolve_references(db::ReadSession& session, const Options& options,
                                      std::optional<RepositoryId> repository,
                                      const model::Manifest& manifest) {
  HeldHere held;
  if (repository) {
    held = TRY(find_held_here(session, *repository, manifest));
  }
  Resolver resolver(session, repository, std::move(held));
  if (manifest.config) {
    resolver.add_config(*manifest.config);
  }
  for (const model::Descriptor& layer : manifest.layers) {
    resolver.add_blob(layer);
  }
  std::int64_t position = 0;
  for (const model::Descriptor& child : manifest.manifests) {
    TRY(resolver.add_child(child, position++, options.sparse_indexes));
  }
  return std::move(resolver.found);
}

}  // namespace roadstead::registry::internal
