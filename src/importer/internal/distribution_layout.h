#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/digest.h"

namespace roadstead::importer::internal {

/// Where CNCF distribution, and so Harbor, keeps what, below its root (backup/export.cpp writes the
/// same):
///
///   docker/registry/v2/blobs/<alg>/<2 hex>/<hex>/data          blobs and manifests
///   docker/registry/v2/repositories/<name>/
///     _manifests/revisions/<alg>/<hex>/link                    the repository has the manifest
///     _manifests/tags/<tag>/current/link                       where the tag points
///     _manifests/tags/<tag>/index/<alg>/<hex>/link             where it ever pointed
///     _layers/<alg>/<hex>/link                                 the repository has the blob
///     _uploads/                                                what was never finished
///
/// A link is a file that holds a digest. The part of a name before a '/' may be a repository too.
inline constexpr std::string_view kRepositories = "docker/registry/v2/repositories";
inline constexpr std::string_view kManifests = "_manifests";
inline constexpr std::size_t kLinkMax = 1024;

inline std::string repository_folder(std::string_view name) {
  return std::string(kRepositories).append("/").append(name);
}
inline std::string revisions_folder(std::string_view repository, model::Algorithm algorithm) {
  return repository_folder(repository)
      .append("/_manifests/revisions/")
      .append(crypto::to_string(algorithm));
}
inline std::string revision_link(std::string_view repository, const model::Digest& digest) {
  return revisions_folder(repository, digest.algorithm())
      .append("/")
      .append(digest.hex())
      .append("/link");
}
inline std::string tags_folder(std::string_view repository) {
  return repository_folder(repository).append("/_manifests/tags");
}
inline std::string tag_link(std::string_view repository, std::string_view tag) {
  return tags_folder(repository).append("/").append(tag).append("/current/link");
}
inline std::string blob_file(const model::Digest& digest) {
  return std::string("docker/registry/v2/blobs/")
      .append(crypto::to_string(digest.algorithm()))
      .append("/")
      .append(digest.hex().substr(0, 2))
      .append("/")
      .append(digest.hex())
      .append("/data");
}

}  // namespace roadstead::importer::internal
