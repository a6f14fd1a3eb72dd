#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/digest.h"

namespace roadstead::model {

inline constexpr std::size_t kManifestSizeMax = std::size_t{4} << 20U;
inline constexpr std::size_t kManifestReferencesMax = 5'000;
inline constexpr std::size_t kManifestDepthMax = 32;

namespace media_type {
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerSchema1 =
    "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kDockerSchema1Signed =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";
}  // namespace media_type

/// Whether `type` is one of the four media types parse_manifest() makes: OCI manifest and index,
/// Docker manifest and list.
bool is_manifest_type(std::string_view type);

struct Platform {
  std::string architecture;
  std::string os;
  std::string os_version;
  std::vector<std::string> os_features;
  std::string variant;
  bool operator==(const Platform&) const = default;
};

/// A descriptor (OCI image specification, descriptor.md) as far as a registry looks at it.
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::int64_t size = 0;
  std::string artifact_type;
  std::vector<std::pair<std::string, std::string>> annotations;
  std::optional<Platform> platform;
  std::vector<std::string> urls;
  /// Foreign layers and non-distributable media types need not be in the registry.
  [[nodiscard]] bool distributable() const;
  bool operator==(const Descriptor&) const = default;
};

/// A manifest or index that was checked against its media type. The bytes it came from are kept
/// elsewhere, unchanged.
struct Manifest {
  enum class Kind { kImage, kIndex };
  Kind kind = Kind::kImage;
  std::string media_type;
  std::string artifact_type;          ///< As written; may be empty.
  std::optional<Descriptor> config;   ///< Images only.
  std::vector<Descriptor> layers;     ///< Images only.
  std::vector<Descriptor> manifests;  ///< Indexes only. Any media type may stand there.
  std::optional<Descriptor> subject;
  std::vector<std::pair<std::string, std::string>> annotations;

  /// The referrers API's artifactType: as written, else the config's media type for images, else
  /// empty.
  [[nodiscard]] std::string effective_artifact_type() const;
  bool operator==(const Manifest&) const = default;
};

/// `content_type` is the request's Content-Type without parameters, or empty: then the content's
/// own mediaType decides, else its shape. Unknown members are ignored. Limits: kManifestSizeMax,
/// kManifestReferencesMax, kManifestDepthMax. Errors: kInvalid + kManifest (also: media type
/// against content, negative sizes, schema 1 with a message that says so), kTooLarge + kManifest.
Result<Manifest> parse_manifest(std::string_view bytes, std::string_view content_type);

}  // namespace roadstead::model
