#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace roadstead::api::oci {

/// What a path below /v2/ names. Names of repositories contain slashes, so a path is read from its
/// end.
enum class Shape : std::uint8_t {
  kBase,       ///< /v2/
  kCatalog,    ///< /v2/_catalog
  kTags,       ///< /v2/<name>/tags/list
  kManifest,   ///< /v2/<name>/manifests/<reference>
  kBlob,       ///< /v2/<name>/blobs/<digest>
  kUploads,    ///< /v2/<name>/blobs/uploads/
  kUpload,     ///< /v2/<name>/blobs/uploads/<id>
  kReferrers,  ///< /v2/<name>/referrers/<digest>
};

struct ParsedPath {
  Shape shape = Shape::kBase;
  std::string_view name;       ///< Unchecked; empty where the shape has none.
  std::string_view reference;  ///< The last part, unchecked.
};

/// Nothing for a path of no shape. Decodes and checks nothing.
std::optional<ParsedPath> parse_path(std::string_view path);

}  // namespace roadstead::api::oci
