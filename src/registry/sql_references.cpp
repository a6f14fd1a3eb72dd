#include <set>

#include "registry/blob_content.h"
#include "registry/internal/artifact_kind.h"
#include "registry/internal/push_rows.h"

namespace roadstead::registry::internal {
namespace {

constexpr std::size_t kMissingMax = 100;

struct FoundHeld {
  Held held;
  storage::Location location;
};

Result<std::optional<FoundHeld>> find_held_here(db::ReadSession& session, RepositoryId repository,
                                                const model::Digest& digest) {
  return session.first(
      "SELECT b.id, b.size, b.location FROM blob b JOIN repository_blob rb ON rb.repository_id = ? "
      "AND rb.blob_id = b.id WHERE b.digest = ? AND b.damaged_at IS NULL",
      {repository, digest.to_string()}, [](const db::Row& row) {
        return FoundHeld{*held_from(row, 0), storage::Location{std::string(row.text(2))}};
      });
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
  Resolver(db::ReadSession& session, std::optional<RepositoryId> repository)
      : session_(session), repository_(repository) {}

  Result<void> add_blob(const model::Descriptor& descriptor) {
    if (!seen_.insert(descriptor.digest.to_string()).second) {
      return {};
    }
    found.size += descriptor.size;
    const auto held = TRY(lookup(descriptor.digest));
    if (held) {
      found.blobs.push_back(held->held);
    } else if (descriptor.distributable()) {
      add_missing(descriptor.digest);
    }
    return {};
  }

  Result<void> add_config(const model::Descriptor& descriptor) {
    const auto held = TRY(lookup(descriptor.digest));
    if (held && held->location.value == kInlineLocation) {
      found.config_bytes = TRY(read_content(session_, held->held.blob)).value_or(std::string());
    } else if (held) {
      found.config = held->location;
      found.config_size = held->held.size;
    }
    return add_blob(descriptor);
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
      return add_blob(descriptor);
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
  Result<std::optional<FoundHeld>> lookup(const model::Digest& digest) {
    if (!repository_) {
      return std::optional<FoundHeld>();
    }
    return find_held_here(session_, *repository_, digest);
  }
  void add_missing(const model::Digest& digest) {
    if (found.missing.size() < kMissingMax) {
      found.missing.push_back(digest.to_string());
    }
  }

  db::ReadSession& session_;
  std::optional<RepositoryId> repository_;
  std::set<std::string> seen_;
};

}  // namespace

Result<References> resolve_references(db::ReadSession& session, const Options& options,
                                      std::optional<RepositoryId> repository,
                                      const model::Manifest& manifest) {
  Resolver resolver(session, repository);
  if (manifest.config) {
    TRY(resolver.add_config(*manifest.config));
  }
  for (const model::Descriptor& layer : manifest.layers) {
    TRY(resolver.add_blob(layer));
  }
  std::int64_t position = 0;
  for (const model::Descriptor& child : manifest.manifests) {
    TRY(resolver.add_child(child, position++, options.sparse_indexes));
  }
  return std::move(resolver.found);
}

}  // namespace roadstead::registry::internal
