#include "registry/internal/artifact_kind.h"

#include <array>
#include <optional>

#include "base/text.h"
#include "json/json.h"

namespace roadstead::registry::internal {
namespace {

constexpr std::string_view kUnknown = "UNKNOWN";
constexpr std::string_view kImage = "IMAGE";
constexpr std::size_t kKindMax = 255;

struct KnownType {
  std::string_view media_type;
  std::string_view kind;
};
constexpr std::array kKnownTypes{
    KnownType{model::media_type::kOciConfig, kImage},
    KnownType{"application/vnd.docker.container.image.v1+json", kImage},
    KnownType{"application/vnd.cncf.helm.config.v1+json", "CHART"},
    KnownType{"application/vnd.goharbor.harbor.sbom.v1", "SBOM"},
    KnownType{"application/vnd.wasm.config.v1+json", "WASM"},
    KnownType{"application/vnd.cncf.model.config.v1+json", "CNAI"},
    KnownType{"application/vnd.cncf.model.manifest.v1+json", "CNAI"},
};

std::string in_capitals(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = is_lower(c) ? static_cast<char>(c - ('a' - 'A')) : c;
  }
  return result;
}

/// "application/vnd.<organisation>.<kind>.config.<version>" → "<KIND>".
std::string kind_in(std::string_view media_type) {
  constexpr std::string_view kPrefix = "application/vnd.";
  constexpr std::string_view kMarker = ".config.";
  if (!media_type.starts_with(kPrefix)) {
    return std::string(kUnknown);
  }
  const std::string_view rest = media_type.substr(kPrefix.size());
  const std::size_t organisation = rest.find('.');
  const std::size_t marker = rest.rfind(kMarker);
  if (organisation == std::string_view::npos || marker == std::string_view::npos ||
      marker <= organisation + 1) {
    return std::string(kUnknown);
  }
  return in_capitals(rest.substr(organisation + 1, marker - organisation - 1).substr(0, kKindMax));
}

using Annotations = std::vector<std::pair<std::string, std::string>>;

std::optional<std::string_view> find(const Annotations& annotations, std::string_view name) {
  for (const auto& [key, value] : annotations) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

/// Depth is bounded by the parser's limit.
void write_value(json::Writer& writer, json::Value value) {
  if (const auto text = value.as_string()) {
    writer.value(*text);
  } else if (const auto truth = value.as_bool()) {
    writer.value(*truth);
  } else if (const auto integer = value.as_int()) {
    writer.value(*integer);
  } else if (const auto number = value.as_double()) {
    writer.value(*number);
  } else if (value.is_array()) {
    writer.begin_array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      write_value(writer, value.at(i));
    }
    writer.end_array();
  } else if (value.is_object()) {
    writer.begin_object();
    for (std::size_t i = 0; i < value.size(); ++i) {
      writer.key(value.name_at(i));
      write_value(writer, value.value_at(i));
    }
    writer.end_object();
  } else {
    writer.null();
  }
}

void copy(json::Writer& writer, std::string_view name, json::Value value) {
  if (value.present()) {
    writer.key(name);
    write_value(writer, value);
  }
}

/// The members that Harbor takes from an image's config; the author may stand in a label.
void write_image(json::Writer& writer, json::Value config) {
  copy(writer, "architecture", config["architecture"]);
  std::string_view author = config["author"].as_string().value_or("");
  if (author.empty()) {
    author = config["config"]["Labels"]["maintainer"].as_string().value_or("");
  }
  if (!author.empty()) {
    writer.member("author", author);
  }
  copy(writer, "config", config["config"]);
  copy(writer, "created", config["created"]);
  copy(writer, "os", config["os"]);
}

void write_wasm(json::Writer& writer, const model::Manifest& manifest) {
  if (manifest.config) {
    writer.member("manifest.config.mediaType", manifest.config->media_type);
  }
  if (manifest.layers.empty()) {
    return;
  }
  constexpr std::string_view kTitle = "org.opencontainers.image.title";
  const model::Descriptor& layer = manifest.layers.front();
  writer.member("manifest.layers.mediaType", layer.media_type);
  if (const auto title = find(layer.annotations, kTitle)) {
    writer.member(kTitle, *title);
  }
}

}  // namespace

std::string artifact_kind(const model::Manifest& manifest) {
  if (manifest.kind == model::Manifest::Kind::kIndex) {
    const auto declared = find(manifest.annotations, "org.opencontainers.artifactType");
    return declared == "application/vnd.cnab.manifest.v1" ? "CNAB" : std::string(kImage);
  }
  const std::string type = manifest.effective_artifact_type();
  for (const KnownType& known : kKnownTypes) {
    if (type == known.media_type) {
      return std::string(known.kind);
    }
  }
  return kind_in(type);
}

std::string extra_attributes(const model::Manifest& manifest, std::string_view kind,
                             std::string_view config) {
  json::Writer writer;
  writer.begin_object();
  if (kind == "WASM") {
    write_wasm(writer, manifest);
  } else if (!config.empty()) {
    const auto document = json::Document::parse(config);
    if (document && document->root().is_object()) {
      if (kind == kImage) {
        write_image(writer, document->root());
      } else {
        for (std::size_t i = 0; i < document->root().size(); ++i) {
          copy(writer, document->root().name_at(i), document->root().value_at(i));
        }
      }
    }
  }
  writer.end_object();
  return writer.take();
}

std::string annotations_json(const Annotations& annotations) {
  if (annotations.empty()) {
    return {};
  }
  json::Writer writer;
  writer.begin_object();
  for (const auto& [name, value] : annotations) {
    writer.member(name, value);
  }
  writer.end_object();
  return writer.take();
}

std::string descriptor_json(const model::Descriptor& descriptor) {
  json::Writer writer;
  writer.begin_object();
  writer.member("mediaType", descriptor.media_type);
  writer.member("digest", descriptor.digest.to_string());
  writer.member("size", descriptor.size);
  if (!descriptor.artifact_type.empty()) {
    writer.member("artifactType", descriptor.artifact_type);
  }
  if (!descriptor.annotations.empty()) {
    writer.key("annotations");
    writer.raw(annotations_json(descriptor.annotations));
  }
  if (descriptor.platform) {
    const model::Platform& platform = *descriptor.platform;
    writer.key("platform");
    writer.begin_object();
    writer.member("architecture", platform.architecture);
    writer.member("os", platform.os);
    if (!platform.os_version.empty()) {
      writer.member("os.version", platform.os_version);
    }
    if (!platform.os_features.empty()) {
      writer.key("os.features");
      writer.begin_array();
      for (const std::string& feature : platform.os_features) {
        writer.value(feature);
      }
      writer.end_array();
    }
    if (!platform.variant.empty()) {
      writer.member("variant", platform.variant);
    }
    writer.end_object();
  }
  if (!descriptor.urls.empty()) {
    writer.key("urls");
    writer.begin_array();
    for (const std::string& url : descriptor.urls) {
      writer.value(url);
    }
    writer.end_array();
  }
  writer.end_object();
  return writer.take();
}

}  // namespace roadstead::registry::internal
