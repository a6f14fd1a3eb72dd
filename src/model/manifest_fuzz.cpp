// The input's first line is the Content-Type, the rest the manifest.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "json/json.h"
#include "model/manifest.h"

namespace {

using roadstead::json::Writer;
using roadstead::model::Descriptor;
using roadstead::model::Manifest;

void write_strings(Writer& w, std::string_view key, const std::vector<std::string>& texts) {
  w.key(key);
  w.begin_array();
  for (const auto& text : texts) {
    w.value(text);
  }
  w.end_array();
}

void write_annotations(Writer& w,
                       const std::vector<std::pair<std::string, std::string>>& annotations) {
  w.key("annotations");
  w.begin_object();
  for (const auto& [name, value] : annotations) {
    w.member(name, value);
  }
  w.end_object();
}

void write_descriptor(Writer& w, const Descriptor& d) {
  w.begin_object();
  w.member("mediaType", d.media_type);
  w.member("digest", d.digest.to_string());
  w.member("size", d.size);
  w.member("artifactType", d.artifact_type);
  write_annotations(w, d.annotations);
  if (d.platform) {
    w.key("platform");
    w.begin_object();
    w.member("architecture", d.platform->architecture);
    w.member("os", d.platform->os);
    w.member("os.version", d.platform->os_version);
    write_strings(w, "os.features", d.platform->os_features);
    w.member("variant", d.platform->variant);
    w.end_object();
  }
  write_strings(w, "urls", d.urls);
  w.end_object();
}

void write_list(Writer& w, std::string_view key, const std::vector<Descriptor>& descriptors) {
  w.key(key);
  w.begin_array();
  for (const auto& d : descriptors) {
    write_descriptor(w, d);
  }
  w.end_array();
}

std::string print(const Manifest& m) {
  Writer w;
  w.begin_object();
  w.member("schemaVersion", 2);
  w.member("mediaType", m.media_type);
  w.member("artifactType", m.artifact_type);
  if (m.kind == Manifest::Kind::kImage) {
    w.key("config");
    write_descriptor(w, *m.config);
    write_list(w, "layers", m.layers);
  } else {
    write_list(w, "manifests", m.manifests);
  }
  if (m.subject) {
    w.key("subject");
    write_descriptor(w, *m.subject);
  }
  write_annotations(w, m.annotations);
  w.end_object();
  return w.take();
}

void check_shape(const Manifest& m) {
  const bool image = m.kind == Manifest::Kind::kImage;
  CHECK(roadstead::model::is_manifest_type(m.media_type));
  CHECK(m.config.has_value() == image);
  CHECK(image ? m.manifests.empty() : m.layers.empty());
  CHECK(m.layers.size() + m.manifests.size() <= roadstead::model::kManifestReferencesMax);
  CHECK(!image || m.config->size >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string_view body = input.substr(std::min(line + 1, input.size()));
  const auto manifest = roadstead::model::parse_manifest(body, input.substr(0, line));
  if (!manifest) {
    CHECK(manifest.error().subject == roadstead::Subject::kManifest);
    CHECK(!manifest.error().message.empty());
    return 0;
  }
  check_shape(*manifest);
  const auto again = roadstead::model::parse_manifest(print(*manifest), "");
  CHECK(again && *again == *manifest);
  return 0;
}
