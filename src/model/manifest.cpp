#include "model/manifest.h"

#include <array>

#include "base/text.h"
#include "json/json.h"
#include "model/manifest_reader.h"

namespace roadstead::model {
namespace {

using reader::descriptor_list;
using reader::given;
using reader::optional_descriptor;
using reader::optional_string;
using reader::read_annotations;
using reader::read_descriptor;
using reader::refuse;
using reader::wrong_type;

// Of a foreign media type, in messages.
constexpr std::size_t kShownSizeMax = 255;

Error schema_1() {
  return refuse(
      "Docker image manifest schema 1 is not supported: push this image again with a newer client, "
      "which writes schema 2 or OCI manifests",
      "schema 1");
}

bool is_schema_1_type(std::string_view type) {
  return type == media_type::kDockerSchema1 || type == media_type::kDockerSchema1Signed;
}

// The canonical spelling of a manifest's media type, or nothing.
std::optional<std::string_view> known_type(std::string_view type) {
  for (const std::string_view known : {media_type::kOciManifest, media_type::kOciIndex,
                                       media_type::kDockerManifest, media_type::kDockerList}) {
    if (equals_ignoring_case(type, known)) {
      return known;
    }
  }
  return std::nullopt;
}

Error unknown_type(std::string_view type) {
  const std::string shown(type.substr(0, kShownSizeMax));
  return refuse("\"" + shown + "\" is not a media type of manifests", shown);
}

// Go's decoder, which most clients use, takes "Layers" for "layers"; we do not. What such a client
// would read must be what was checked here.
Result<void> refuse_look_alikes(const json::Value& root) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "fsLayers"};
  for (std::size_t i = 0; i < root.size(); ++i) {
    const std::string_view name = root.name_at(i);
    for (const std::string_view known : kNames) {
      if (name != known && equals_ignoring_case(name, known)) {
        return refuse("ambiguous member \"" + std::string(name) + "\": did you mean \"" +
                          std::string(known) + "\"?",
                      std::string(name));
      }
    }
  }
  return {};
}

Result<void> check_version(const json::Value& root, std::string_view type) {
  const json::Value version = root["schemaVersion"];
  if (version.as_int() == 1 || given(root["fsLayers"]) || is_schema_1_type(type)) {
    return schema_1();
  }
  if (version.as_int() != 2) {
    return refuse("schemaVersion must be 2", "schemaVersion");
  }
  return {};
}

// What the header says, else what the content says of itself, else what it looks like.
Result<std::string> decide_type(const json::Value& root, std::string_view content_type) {
  const std::string own = TRY(optional_string(root["mediaType"], "mediaType"));
  const std::string_view named = content_type.empty() ? std::string_view(own) : content_type;
  TRY(check_version(root, is_schema_1_type(own) ? std::string_view(own) : named));
  if (!named.empty()) {
    const auto type = known_type(named);
    if (!type) {
      return unknown_type(named);
    }
    if (!own.empty() && own != *type) {
      return refuse("mediaType \"" + own.substr(0, kShownSizeMax) +
                        "\" in the manifest does not match Content-Type \"" + std::string(*type) +
                        "\"",
                    "mediaType");
    }
    return std::string(*type);
  }
  if (given(root["config"]) || given(root["layers"])) {
    return std::string(media_type::kOciManifest);
  }
  if (root["manifests"].present()) {
    return std::string(media_type::kOciIndex);
  }
  return refuse("neither Content-Type nor content tells what kind of manifest this is");
}

// A document that one client takes for an image and another for an index would let one digest
// stand for two contents (CVE-2021-41190).
Result<void> check_unambiguous(const json::Value& root, Manifest::Kind kind) {
  const bool image = kind == Manifest::Kind::kImage;
  if (image && given(root["manifests"])) {
    return refuse("an image manifest must not have \"manifests\"", "manifests");
  }
  if (!image && (given(root["config"]) || given(root["layers"]))) {
    return refuse("an index must not have \"config\" or \"layers\"", "layers");
  }
  return {};
}

Result<void> read_references(const json::Value& root, Manifest& out) {
  if (out.kind == Manifest::Kind::kImage) {
    if (!given(root["config"])) {
      return refuse("an image manifest needs \"config\"", "config");
    }
    out.config = TRY(read_descriptor(root["config"], "config"));
    out.layers = TRY(descriptor_list(root["layers"], "layers"));
  } else {
    if (!root["manifests"].present()) {
      return refuse("an index needs \"manifests\"", "manifests");
    }
    out.manifests = TRY(descriptor_list(root["manifests"], "manifests"));
  }
  out.subject = TRY(optional_descriptor(root["subject"], "subject"));
  const std::size_t references =
      out.layers.size() + out.manifests.size() + (out.config ? 1U : 0U) + (out.subject ? 1U : 0U);
  if (references > kManifestReferencesMax) {
    return refuse("a manifest has at most " + std::to_string(kManifestReferencesMax) +
                  " references");
  }
  return {};
}

}  // namespace

bool is_manifest_type(std::string_view type) {
  return known_type(type) == type;
}

bool Descriptor::distributable() const {
  return !media_type.starts_with("application/vnd.oci.image.layer.nondistributable.") &&
         !media_type.starts_with("application/vnd.docker.image.rootfs.foreign.");
}

std::string Manifest::effective_artifact_type() const {
  if (!artifact_type.empty() || !config) {
    return artifact_type;
  }
  return config->media_type;
}

Result<Manifest> parse_manifest(std::string_view bytes, std::string_view content_type) {
  if (bytes.size() > kManifestSizeMax) {
    return Error{Code::kTooLarge, Subject::kManifest, "a manifest has at most 4 MiB", {}};
  }
  if (is_schema_1_type(content_type)) {
    return schema_1();  // The signed form is no plain JSON document everywhere.
  }
  if (!content_type.empty() && !known_type(content_type)) {
    return unknown_type(content_type);
  }
  auto document =
      json::Document::parse(bytes, {.depth_max = kManifestDepthMax, .size_max = kManifestSizeMax});
  if (!document) {
    return refuse(document.error().message);
  }
  const json::Value root = document->root();
  if (!root.is_object()) {
    return wrong_type("a manifest", "an object", root);
  }
  TRY(refuse_look_alikes(root));
  Manifest out;
  out.media_type = TRY(decide_type(root, content_type));
  const bool image =
      out.media_type == media_type::kOciManifest || out.media_type == media_type::kDockerManifest;
  out.kind = image ? Manifest::Kind::kImage : Manifest::Kind::kIndex;
  TRY(check_unambiguous(root, out.kind));
  TRY(read_references(root, out));
  out.artifact_type = TRY(optional_string(root["artifactType"], "artifactType"));
  out.annotations = TRY(read_annotations(root["annotations"], "annotations"));
  return out;
}

}  // namespace roadstead::model
