#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "crypto/hasher.h"
#include "importer/internal/distribution_layout.h"
#include "importer/internal/pass.h"
#include "registry/check.h"
#include "storage/distribution_layout.h"

namespace roadstead::importer::internal {
namespace {

/// Configs larger than this are not looked into.
constexpr std::int64_t kConfigMax = std::int64_t{1} << 20U;
constexpr std::size_t kPiece = std::size_t{1} << 20U;

Error wrong(Subject subject, std::string message) {
  return Error{Code::kInvalid, subject, std::move(message), {}};
}

/// Hands the blob on in pieces.
template <typename F>
Result<void> each_piece(Pass& pass, const model::Digest& digest, F&& take) {
  const std::string file = blob_file(digest);
  std::vector<std::byte> piece(kPiece);
  for (std::uint64_t offset = 0;;) {
    TRY(pass.go_on());
    const std::size_t n = TRY(pass.source.read_at(file, offset, piece));
    TRY(take(std::span<const std::byte>(piece).first(n)));
    offset += n;
    if (n < piece.size()) {
      return {};
    }
  }
}

Result<void> hash(Pass& pass, const model::Digest& digest) {
  crypto::Hasher hasher(digest.algorithm());
  TRY(each_piece(pass, digest, [&](std::span<const std::byte> bytes) -> Result<void> {
    hasher.update(bytes);
    return {};
  }));
  if (model::Digest::from_hex(digest.algorithm(), hasher.hex_digest()) != digest) {
    return wrong(Subject::kBlob,
                 fmt::format("blob {} has other bytes than its name says", digest.to_string()));
  }
  return {};
}

/// Into the store, with a row that an import which ends here leaves to the collector.
Result<storage::Location> copy(Pass& pass, const model::Digest& digest, std::uint64_t size) {
  const auto free = TRY(pass.parts.store.free_space());
  if (free && *free < pass.parts.options.free_space_floor.value + size) {
    return Error{Code::kUnavailable, Subject::kStorage, "the store has no room for more", {}};
  }
  auto writer = TRY(pass.parts.store.begin(digest.algorithm(), size));
  TRY(each_piece(pass, digest,
                 [&](std::span<const std::byte> bytes) { return writer->append(bytes); }));
  const auto guard = pass.parts.locks.lock(digest.to_string());
  auto location = writer->commit(digest);
  if (!location) {
    TRY(writer->discard());
    return location.error().code == Code::kDigestMismatch
               ? wrong(Subject::kBlob, fmt::format("blob {} has other bytes than its name says",
                                                   digest.to_string()))
               : location.error();
  }
  TRY(pass.parts.database.write([&](db::WriteSession& session) {
    return registry::adopt_blob(session, digest.to_string(), static_cast<std::int64_t>(size),
                                *location);
  }));
  pass.report.with([&](ImportReport& now) {
    ++now.copied;
    ++now.blobs;
    now.bytes += static_cast<std::int64_t>(size);
  });
  return location;
}

/// The blobs of one manifest.
class BlobReader {
 public:
  explicit BlobReader(Pass& pass) : pass_(pass) {}

  /// Errors: kInvalid + kBlob when it is not here and must be, or is not what the manifest says.
  Result<void> add(const model::Descriptor& descriptor, bool required) {
    if (!seen_.insert(descriptor.digest.to_string()).second) {
      return {};
    }
    const auto known = TRY(known_size(descriptor.digest));
    if (known) {
      TRY(compare(descriptor, *known));
      blobs.push_back({descriptor.digest, static_cast<std::uint64_t>(*known), {}, true});
      return {};
    }
    const auto status = pass_.source.stat(blob_file(descriptor.digest));
    if (!status && status.error().code == Code::kNotFound) {
      return required
                 ? Result<void>(wrong(Subject::kBlob, fmt::format("blob {} is missing",
                                                                  descriptor.digest.to_string())))
                 : Result<void>();
    }
    if (!status) {
      return status.error();
    }
    TRY(compare(descriptor, static_cast<std::int64_t>(status->size)));
    return take(descriptor.digest, status->size);
  }

  std::vector<registry::ImportedBlob> blobs;

 private:
  /// Content that is here already needs nothing from the source.
  Result<std::optional<std::int64_t>> known_size(const model::Digest& digest) {
    return pass_.parts.database.read_once(
        [&](db::ReadSession& session) { return registry::imported_blob_size(session, digest); });
  }

  static Result<void> compare(const model::Descriptor& descriptor, std::int64_t size) {
    if (size != descriptor.size) {
      return wrong(Subject::kBlob,
                   fmt::format("blob {} has {} bytes, the manifest says {}",
                               descriptor.digest.to_string(), size, descriptor.size));
    }
    return {};
  }

  Result<void> take(const model::Digest& digest, std::uint64_t size) {
    registry::ImportedBlob blob{digest, size, {}, pass_.options.copy || pass_.options.verify};
    if (pass_.options.copy) {
      blob.location = TRY(copy(pass_, digest, size));
    } else {
      blob.location = storage::location_in_distribution_layout(digest);
      if (pass_.options.verify) {
        TRY(hash(pass_, digest));
      }
    }
    blobs.push_back(std::move(blob));
    return {};
  }

  Pass& pass_;
  std::set<std::string> seen_;
};

/// Costs only what the API shows of it when it cannot be read. Errors: kUnavailable, as then it may
/// be read the next time.
Result<std::string> read_config(SourceTree& source, const model::Manifest& manifest) {
  if (!manifest.config || manifest.config->size > kConfigMax) {
    return std::string();
  }
  auto config =
      source.read(blob_file(manifest.config->digest), static_cast<std::size_t>(kConfigMax));
  if (config || config.error().code == Code::kUnavailable) {
    return config;
  }
  return std::string();
}

Result<std::string> read_bytes(SourceTree& source, const model::Digest& digest) {
  auto bytes = source.read(blob_file(digest), model::kManifestSizeMax);
  if (!bytes) {
    return bytes.error().code == Code::kNotFound
               ? wrong(Subject::kManifest, "its content is missing")
               : bytes.error();
  }
  if (model::Digest::of(*bytes, digest.algorithm()) != digest) {
    return wrong(Subject::kManifest, "its content has other bytes than its name says");
  }
  return bytes;
}

}  // namespace

Result<model::Digest> read_link(SourceTree& source, const std::string& file) {
  const std::string text = TRY(source.read(file, kLinkMax));
  auto digest = model::Digest::parse(text);
  if (!digest) {
    return wrong(Subject::kDigest, "its link does not hold a digest");
  }
  return digest;
}

Result<registry::ImportedManifest> read_manifest(Pass& pass, std::string_view repository,
                                                 const model::Digest& digest) {
  const std::string link = revision_link(repository, digest);
  const auto linked = read_link(pass.source, link);
  if (!linked && linked.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, Subject::kArtifact, "it was deleted", {}};
  }
  if (TRY(linked) != digest) {
    return wrong(Subject::kDigest, "its link names another digest");
  }
  const auto status = TRY(pass.source.stat(link));
  std::string bytes = TRY(read_bytes(pass.source, digest));
  model::Manifest manifest = TRY(model::parse_manifest(bytes, {}));
  BlobReader reader(pass);
  if (manifest.config) {
    TRY(reader.add(*manifest.config, manifest.config->distributable()));
  }
  for (const model::Descriptor& layer : manifest.layers) {
    TRY(reader.add(layer, layer.distributable()));
  }
  for (const model::Descriptor& child : manifest.manifests) {
    // Build caches also put plain blobs into an index.
    if (!model::is_manifest_type(child.media_type)) {
      TRY(reader.add(child, false));
    }
  }
  std::string config = TRY(read_config(pass.source, manifest));
  return registry::ImportedManifest{digest,
                                    std::move(bytes),
                                    std::move(manifest),
                                    std::move(reader.blobs),
                                    std::move(config),
                                    status.modified_at};
}

}  // namespace roadstead::importer::internal
